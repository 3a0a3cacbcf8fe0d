"""A shopping cart that knows what it costs."""

FREE_SHIPPING_FROM = 50.0
SHIPPING = 4.9


class Cart:
    def __init__(self):
        self.items = []

    def add(self, name, price, quantity=1):
        if quantity < 1:
            raise ValueError("quantity must be at least 1")
        self.items.append((name, price, quantity))

    def subtotal(self):
        return sum(price for name, price, quantity in self.items)

    def shipping(self):
        return 0.0 if self.subtotal() >= FREE_SHIPPING_FROM else SHIPPING

    def total(self):
        return round(self.subtotal() + self.shipping(), 2)
