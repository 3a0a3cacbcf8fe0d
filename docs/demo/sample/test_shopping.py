import unittest

from shopping import Cart


class CartTest(unittest.TestCase):
    def test_an_empty_cart_costs_the_shipping(self):
        self.assertEqual(Cart().total(), 4.9)

    def test_quantities_count(self):
        cart = Cart()
        cart.add("pencil", 1.5, quantity=4)
        self.assertEqual(cart.subtotal(), 6.0)

    def test_a_full_cart_ships_free(self):
        cart = Cart()
        cart.add("lamp", 60.0)
        self.assertEqual(cart.total(), 60.0)


if __name__ == "__main__":
    unittest.main()
