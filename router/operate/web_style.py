"""How the status page looks: no scripts, no fonts, nothing from elsewhere; on a phone as well."""

STYLE = """
:root { color-scheme: light dark;
  --text: #1b1f24; --dim: #59636e; --back: #f6f7f9; --card: #fff; --line: #d8dde3;
  --good: #1a6f37; --bad: #b3261e; --warn: #8a5a00; --bad-back: #fdecea; --good-back: #e7f4ea; }
@media (prefers-color-scheme: dark) { :root {
  --text: #e6e9ed; --dim: #9aa4af; --back: #14171b; --card: #1d2126; --line: #343b43;
  --good: #6fd08c; --bad: #ff8a80; --warn: #f0b84a; --bad-back: #3a1f1d; --good-back: #1a2f21; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1rem; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
header p, footer { color: var(--dim); font-size: .875rem; margin: .1rem 0 0; }
footer { padding-bottom: 2rem; }
a { color: inherit; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .9rem 1rem; margin: 1rem 0; overflow-wrap: anywhere; }
section p { margin: .2rem 0; }
.attention { background: var(--bad-back); border-color: var(--bad); }
.attention ul { margin: 0; padding-left: 1.1rem; }
.attention li + li { margin-top: .4rem; }
.attention h2 { color: var(--bad); }
.well { background: var(--good-back); border-color: var(--good); color: var(--good);
  font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--dim); font-size: .8rem; font-weight: 600; }
th, td { padding: .35rem .75rem .35rem 0; vertical-align: top; }
td { border-top: 1px solid var(--line); }
small { display: block; color: var(--dim); font-size: .8rem; font-weight: 400; }
.state { font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
@media (max-width: 40rem) {
  thead { display: none; }
  tr { display: block; border-top: 1px solid var(--line); padding: .5rem 0; }
  tr:first-child { border-top: 0; padding-top: 0; }
  td { display: flex; gap: 1rem; justify-content: space-between; border: 0; padding: .1rem 0;
    text-align: right; }
  td:first-child { display: block; text-align: left; font-weight: 600; }
  td::before { content: attr(data-label); color: var(--dim); text-align: left; }
  td:first-child::before { content: none; }
}
"""
