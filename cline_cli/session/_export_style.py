"""The looks of an exported page: light and dark as the reader's system is, and black on white in print."""

from __future__ import annotations

STYLE = """\
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1c1e21; --dim: #565c64; --line: #d4d8dd; --box: #f4f5f7;
  --user: #e9f0fa; --link: #0b57b0; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a; --ink: #e3e5e8; --dim: #a2a8b0; --line: #3a3f46; --box: #1f2226;
    --user: #1d2a3c; --link: #8ab8f5; --bad: #ff9089;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 56rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word;
}
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .75rem; }
h2 { font-size: .95rem; margin: 0 0 .5rem; display: flex; flex-wrap: wrap; gap: 0 .75rem; align-items: baseline; }
h2 .model, h2 time { font-weight: normal; font-size: .85rem; color: var(--dim); }
h2 time { margin-inline-start: auto; }
h3, h4, h5, h6 { font-size: 1.05rem; line-height: 1.3; margin: 1.1em 0 .4em; }
header { border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
dl { margin: 0; display: flex; flex-wrap: wrap; gap: .5rem 2rem; }
dt { font-size: .8rem; color: var(--dim); }
dd { margin: 0; font-size: .9rem; overflow-wrap: anywhere; }
nav { margin-top: 1rem; font-size: .9rem; }
nav ol { margin: .25rem 0; }
section { margin: 1.25rem 0; }
section.user { background: var(--user); border-radius: .5rem; padding: .75rem 1rem; }
section > :last-child { margin-bottom: 0; }
.plain { white-space: pre-wrap; unicode-bidi: plaintext; max-height: 60vh; overflow: auto; }
.prose { overflow-x: auto; }
.prose > :first-child { margin-top: 0; }
.prose > :last-child { margin-bottom: 0; }
.prose blockquote { margin: 1em 0; padding-inline-start: 1em; border-inline-start: 3px solid var(--line); }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border: 1px solid var(--line); padding: .25em .6em; text-align: start; vertical-align: top; }
code, pre { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .85rem; }
code { background: var(--box); border-radius: .25rem; padding: .1em .3em; overflow-wrap: anywhere; }
pre {
  background: var(--box); border: 1px solid var(--line); border-radius: .35rem;
  margin: .35rem 0 .75rem; padding: .6rem .75rem; line-height: 1.4;
  overflow: auto; max-height: 30rem; tab-size: 4;
}
pre code { background: none; padding: 0; overflow-wrap: normal; }
details { margin: .5rem 0; }
details.call, details.thought { border: 1px solid var(--line); border-radius: .35rem; padding: .3rem .6rem; }
summary { cursor: pointer; font-size: .9rem; overflow-wrap: anywhere; }
details[open] > summary { margin-bottom: .5rem; }
details.call span { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .85rem; }
.thought > summary, .remark, .label { color: var(--dim); }
.remark { font-size: .9rem; font-style: italic; margin: .5rem 0; }
.label { font-size: .8rem; }
.failed { color: var(--bad); }
img { max-width: 100%; height: auto; }
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --ink: #000000; --dim: #444444; --line: #999999; --box: #ffffff;
    --user: #ffffff; --link: #000000; --bad: #000000;
  }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav { display: none; }
  section.user { border: 1px solid var(--line); }
  pre, .plain { max-height: none; overflow: visible; white-space: pre-wrap; overflow-wrap: anywhere; }
  .prose { overflow: visible; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; opacity: 1; }
  summary { list-style: none; }
  h2, summary, .label { break-after: avoid; }
  .prose a[href]::after { content: " (" attr(href) ")"; font-size: .85em; overflow-wrap: anywhere; }
}
"""
