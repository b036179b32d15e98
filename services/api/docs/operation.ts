/** One operation of the API as HTML. */
import { STATUS_CODES } from 'node:http';
import { type PlainPolicy, POLICIES, type Policy, type Roles } from '../access/policy.ts';
import { MAX_MINOR } from '../http/versions.ts';
import { type FieldWriter, meaning, sinceMark } from './fields.ts';
import { escapeHtml, Html, html, jsonHtml, prose } from './html.ts';
import type { ExampleDoc, OperationDoc } from './model.ts';

/** Where the examples ask. */
const ENDPOINT = 'http://127.0.0.1:6385';

const rolesOf = ({ system, owner, lessee }: Roles): string =>
  [`system ${system}`, owner && `owner's ${owner}`, lessee && `lessee's ${lessee}`].filter(Boolean).join(' · ');

function who(policy: Policy): string {
  if (policy.about === 'public') return 'everybody, without logging in';
  if (policy.about !== 'service' && policy.about !== 'list') return rolesOf(policy as Roles);
  const { system, project } = policy as PlainPolicy;
  return `system ${system}${project ? ` · ${project} of any project` : ''}`;
}

/** Fields that need other roles than the operation, those with the same roles together. */
function fieldRoles(policy: Policy): Html | undefined {
  const fields = 'fields' in policy ? policy.fields : undefined;
  if (!fields) return undefined;
  const groups = Map.groupBy(Object.entries(fields), ([, roles]) => rolesOf(roles));
  return html`<details><summary>Fields that need more</summary><dl class="roles">${[...groups].map(
    ([roles, names]) =>
      html`<dt>${roles}</dt><dd>${names.map(([name], i) => html`${i > 0 && ', '}<code>${name}</code>`)}</dd>`,
  )}</dl></details>`;
}

/** Statuses with which it may be refused; each follows from what the operation is. */
function refusals({ method, path, parameters, body, isPublic, since }: OperationDoc): readonly number[] {
  const isChange = method !== 'GET';
  const isNamed = path.includes('{');
  return [
    ...(body || parameters.length > 0 ? [400] : []),
    ...(isPublic ? [] : [401, 403]),
    ...(isNamed || since > 1 ? [404] : []),
    ...(parameters.some((p) => p.in === 'query' && p.since > since) ? [406] : []),
    ...(isChange && !isPublic ? [409] : []),
    ...(isChange && method !== 'POST' && isNamed ? [412] : []),
    ...(body ? [413] : []),
    ...(method === 'POST' && !isPublic ? [422] : []),
  ];
}

const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The request as a command line of curl. */
export function curlOf({ method }: Pick<OperationDoc, 'method'>, example: ExampleDoc): string {
  const headers = {
    'X-OpenStack-Ironic-API-Version': `1.${example.version ?? MAX_MINOR}`,
    ...(example.request === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...example.send,
  };
  const short = JSON.stringify(example.request);
  const body = short !== undefined && short.length > 70 ? JSON.stringify(example.request, null, 2) : short;
  return [
    `curl${method === 'GET' ? '' : ` -X ${method}`} ${quoted(ENDPOINT + example.path)}`,
    ...Object.entries(headers).map(([name, value]) => `  -H ${quoted(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`  -d ${quoted(body)}`]),
  ].join(' \\\n');
}

function block(label: string, content: Html, kind?: string): Html {
  return html`<figure class="${kind ?? 'block'}"><figcaption>${label}</figcaption><pre tabindex="0" role="group" aria-label="${label}"><code>${content}</code></pre></figure>`;
}

function answerOf({ status, headers, answer }: ExampleDoc): Html {
  const lines = [
    `${status} ${STATUS_CODES[status] ?? ''}`.trim(),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  const body =
    answer === undefined ? undefined : typeof answer === 'string' ? new Html(escapeHtml(answer)) : jsonHtml(answer);
  return html`<span class="status ${status < 400 ? 'good' : 'bad'}">${lines[0]}</span>${lines.slice(1).map((line) => html`\n<span class="h">${line}</span>`)}${body && html`\n\n${body}`}`;
}

function exampleHtml(operation: OperationDoc, example: ExampleDoc): Html {
  return html`<div class="example">${example.summary !== operation.summary && html`<p>${prose(example.summary)}</p>`}
${block('Request', html`${curlOf(operation, example)}`)}
${example.cli !== undefined && block('Command line', html`${example.cli}`, 'command')}
${block('Answer', answerOf(example))}</div>`;
}

/** The path with its parameters told apart. */
export const pathHtml = (path: string): Html =>
  new Html(
    escapeHtml(path)
      .replaceAll(/\{(\w+)\}/g, '<span class="param">{$1}</span>')
      .replaceAll(/(?<=\w)\/(?!span)/g, '/<wbr>'),
  );

export const verb = (method: string): Html => html`<span class="verb ${method.toLowerCase()}">${method}</span>`;

/** The article of an operation. `start` is the address of the page that explains statuses. */
export function operationHtml(operation: OperationDoc, fields: FieldWriter, start: string): Html {
  const policy = POLICIES[operation.id]!;
  const { parameters, body, answers, examples } = operation;
  const [first, ...others] = examples;
  return html`<article id="${operation.id}" class="operation">
<div class="told">
<h2><a href="#${operation.id}">${operation.summary}</a></h2>
<p class="line">${verb(operation.method)} <code class="path">${pathHtml(operation.path)}</code></p>
<p class="facts">${operation.since > 1 ? html`Since <strong>1.${operation.since}</strong>` : html`Every version`}${operation.isOurs && html` · <span class="ours">not in Ironic</span>`} · For ${who(policy)} · <code class="id">${operation.id}</code></p>
${operation.description !== undefined && html`<p>${prose(operation.description)}</p>`}
${fieldRoles(policy)}
${
  parameters.length > 0 &&
  html`<h3>Parameters</h3>
<table class="fields">${parameters.map(
    (p) =>
      html`<tr><th scope="row"><code>${p.name}</code> <span class="where">${p.in}</span>${p.since > operation.since && sinceMark(p.since)}</th><td>${meaning(fields.type(p.schema, 'request'), p.description)}</td></tr>`,
  )}</table>`
}
${
  body &&
  html`<h3>Body${!operation.isBodyRequired && html` <span class="where">optional</span>`}</h3>
${fields.table(body, 'request') ?? html`<p>${fields.type(body, 'request')}</p>`}`
}
<h3>Answers</h3>
<table class="fields">${answers.map(
    (a) =>
      html`<tr><th scope="row"><span class="status good">${a.status}</span></th><td>${a.description}${a.schema && html`: <span class="type">${fields.type(a.schema, 'answer')}</span>${fields.table(a.schema, 'answer') && !('$ref' in a.schema) && fields.table(a.schema, 'answer')}`}</td></tr>`,
  )}<tr><th scope="row"><a href="${start}#errors">Errors</a></th><td>${refusals(operation).map((s, i) => html`${i > 0 && ' '}<a class="status bad" href="${start}#error-${s}">${s}</a>`)}</td></tr></table>
</div>
<div class="shown">
${first && exampleHtml(operation, first)}
${others.map((example) => html`<details class="more"><summary>${example.summary}</summary>${exampleHtml(operation, { ...example, summary: operation.summary })}</details>`)}
</div>
</article>`;
}
