"""`fetch_web_content`: pages of the web, as Markdown."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import Report, Scope, ToolError, ToolOutput, ToolSpec
from cline_cli.errors import ProviderError
from cline_cli.network.http import Network
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._results import MAX_RESULT_BYTES, Item, count, one_line, to_output
from cline_cli.tools._workplace import Workplace

if TYPE_CHECKING:  # lazy: as below
    from cline_cli.network.page import Page

MAX_REQUESTS = 5
TIMEOUT_S = 30.0
_TEXTS = re.compile(r"text/.*|application/(?:json|xml|javascript|yaml|toml|x-[\w-]+|[\w.-]+\+(?:json|xml))|")
_HIDDEN = ("title", "script", "style", "noscript", "template", "svg", "iframe", "head")

SPEC = ToolSpec(
    name="fetch_web_content",
    description="Read public web pages, as Markdown.",
    parameters={
        "type": "object",
        "properties": {
            "requests": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"url": {"type": "string"}},
                    "required": ["url"],
                },
            }
        },
        "required": ["requests"],
        "additionalProperties": False,
    },
    effect="changes",
)


class FetchWebContent:
    spec = SPEC

    def __init__(self, workplace: Workplace) -> None:
        self._variables = workplace.variables
        self._may_reach, self._may_fetch = workplace.may_reach, workplace.may_fetch

    def normalize(self, arguments: JsonObject) -> JsonObject:
        given = inputs.first(arguments, "requests", "urls", "url")
        urls = [_to_url(item) for item in inputs.items(given)]
        if not urls or not all(urls):
            raise ToolError('fetch_web_content needs {"requests": [{"url": "https://..."}]}')
        if len(urls) > MAX_REQUESTS:
            raise ToolError(f"fetch_web_content takes at most {MAX_REQUESTS} pages a call, not {len(urls)}")
        return {"requests": [{"url": url} for url in urls]}

    def summary(self, arguments: JsonObject) -> str:
        try:
            urls = self._read(arguments)
        except ToolError:
            return "fetch pages"
        more = f" (+{len(urls) - 1} more)" if len(urls) > 1 else ""
        return one_line(f"fetch {urls[0]}{more}")

    def scope(self, arguments: JsonObject) -> Scope:
        return Scope(hosts=tuple(_host(url) for url in self._read(arguments)))

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:  # noqa: ARG002  # the protocol's
        from cline_cli.network.page import PageError, fetch_page  # lazy: 6 ms, and few runs fetch pages

        network = Network(idle_s=TIMEOUT_S, request_s=TIMEOUT_S, variables=self._variables)
        found: list[Item] = []
        try:
            for url in self._read(arguments):
                try:
                    page = await fetch_page(network, url, self._variables, self._may_reach, self._may_fetch)
                    found.append(_describe(url, page))
                except PageError as error:
                    found.append(Item(url, error=str(error)))
                except ProviderError as error:
                    found.append(Item(url, error=error.message))
        finally:
            await network.close()
        return to_output(found)

    def _read(self, arguments: JsonObject) -> list[str]:
        requests = inputs.items(self.normalize(arguments)["requests"])
        return [_to_url(request) for request in requests]


def build(workplace: Workplace) -> FetchWebContent:
    return FetchWebContent(workplace)


def _to_url(item: JsonValue) -> str:
    item = inputs.unpack(item)
    url = inputs.first(item, "url", "uri") if isinstance(item, Mapping) else item
    text = inputs.text(url or "", "url").strip()
    return text if "://" in text or not text else f"https://{text}"


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "none").lower()
    except ValueError:  # which is told when it is run, and fetches nothing
        return "none"


def _describe(url: str, page: Page) -> Item:
    if not _TEXTS.fullmatch(page.media_type):
        return Item(url, error=f"it is {page.media_type} ({count(len(page.data), 'byte')}), not text")
    text = _decode(page)
    if page.media_type in {"text/html", "application/xhtml+xml"} or re.match(r"\s*<(?:!doctype )?html", text, re.I):
        text = to_markdown(text)
    shown = text.encode("utf-8", "replace")
    notes = [f"now at {page.url}"] if page.url != url else []
    if len(shown) > MAX_RESULT_BYTES or page.is_cut:
        notes.append(f"its beginning only: it has {'more than ' if page.is_cut else ''}{len(shown):,} bytes")
        text = shown[:MAX_RESULT_BYTES].decode("utf-8", "ignore")
    result = f"{text.strip()}\n[{'; '.join(notes)}]" if notes else text.strip()
    error = f"HTTP {page.status}" if page.status >= 400 else ""
    return Item(url, result or "(an empty page)", error, f"HTTP {page.status}, {count(len(page.data), 'byte')}")


def _decode(page: Page) -> str:
    declared = re.search(rb"<meta[^>]+charset=[\"']?([\w-]+)", page.data[:2048], re.IGNORECASE)
    for name in (page.charset, declared[1].decode("ascii", "replace") if declared else "", "utf-8"):
        try:
            return page.data.decode(codecs.lookup(name).name, "replace") if name else page.data.decode("utf-8")
        except (LookupError, UnicodeDecodeError):
            continue
    return page.data.decode("latin-1")


def to_markdown(html: str) -> str:
    """Return what a page says, without what only makes it look or move."""
    from bs4 import BeautifulSoup  # lazy: 60 ms, and few runs fetch pages
    from markdownify import MarkdownConverter  # lazy: as above

    soup = BeautifulSoup(html, "html.parser")
    title = soup.title.get_text(strip=True) if soup.title else ""
    for tag in soup.find_all(_HIDDEN):
        tag.decompose()
    body = soup.find("main") or soup.find("article") or soup.body or soup
    text = MarkdownConverter(heading_style="ATX", bullets="-", strip=["img"]).convert_soup(body)
    text = re.sub(r"[ \t]+\n", "\n", re.sub(r"\n{3,}", "\n\n", text)).strip()
    return f"# {title}\n\n{text}" if title and not text.startswith("# ") else text
