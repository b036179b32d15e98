/** The frame of every page: header, index of all operations, and what stands in the middle. */
import { html, Html } from './html.ts';
import type { Model, Section } from './model.ts';
import { pathHtml, verb } from './operation.ts';

/** Addresses relative to the page, so that they hold behind any proxy. */
export interface Place {
  /** What leads to the folder of the pages: `docs/` from the start page, nothing from the others. */
  readonly folder: string;
  /** The start page. */
  readonly start: string;
  /** Query that changes with the style and the script. */
  readonly stamp: string;
}

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath d='M9 4h14l-2 9 4 4v11H7V17l4-4z' fill='%23c2410c'/%3E%3Cpath d='M12 20h8v5h-8z' fill='%23fed7aa'/%3E%3C/svg%3E";

function indexOf({ sections }: Model, place: Place, current: Section | undefined): Html {
  return html`${sections.map(
    (
      section,
    ) => html`<details class="group"${section === current && new Html(' open')}><summary>${section.name} <span class="count">${section.operations.length}</span></summary>
<ul>${section.operations.map(
      (o) =>
        html`<li><a href="${place.folder}${section.slug}#${o.id}" data-find="${`${o.method} ${o.path} ${o.id} ${o.summary} ${section.name}`.toLowerCase()}" title="${o.method} ${o.path}">${verb(o.method)}<span class="what">${o.summary}<small>${pathHtml(o.path.replace('/v1', '') || '/')}</small></span></a></li>`,
    )}</ul></details>`,
  )}`;
}

/** A whole page. */
export function page(
  model: Model,
  place: Place,
  { title, current, main }: { readonly title: string; readonly current: Section | undefined; readonly main: Html },
): string {
  const { folder, start, stamp } = place;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="${new Html(ICON)}">
<link rel="stylesheet" href="${folder}docs.css?${stamp}">
<script src="${folder}docs.js?${stamp}" defer></script>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header>
<a class="brand" href="${start}">Bessemer <span>API ${model.version}</span></a>
<label class="find" hidden><span>Find an operation</span><input id="find" type="search" placeholder="Find an operation" autocomplete="off" spellcheck="false" aria-controls="index"><kbd>/</kbd></label>
<a class="source" href="${folder}openapi.json">OpenAPI</a>
</header>
<div class="columns">
<details id="index" open>
<summary>All operations</summary>
<nav aria-label="Operations">
<p class="none" role="status" hidden>Nothing is called that.</p>
${indexOf(model, place, current)}
</nav>
</details>
<main id="main">
${main}
</main>
</div>
</body>
</html>
`.text;
}
