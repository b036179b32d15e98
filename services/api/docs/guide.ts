/** The start page: what a newcomer needs before the first request, and the way to everything else. */
import { MAX_MINOR, MIN_MINOR } from '../http/versions.ts';
import { type Html, html } from './html.ts';
import type { Model } from './model.ts';
import type { Place } from './page.ts';

const STATUSES: ReadonlyArray<readonly [status: number, meaning: string, whatToDo: string]> = [
  [
    400,
    'The request is wrong, or what it is about is not in a state for it.',
    'The text names the field or the state.',
  ],
  [401, 'Nobody is logged in.', 'Send a credential.'],
  [403, 'The role does not allow it.', 'The text names the role that does.'],
  [
    404,
    'There is no such thing, or the version is too old for it, or it is not for you to see.',
    'Look at name and version.',
  ],
  [405, 'The method is not possible here.', 'Allow lists those that are.'],
  [406, 'The version is not spoken, or a parameter or field is newer than it.', 'Ask for a newer version.'],
  [409, 'Something is at work on it, or it is there already.', 'When it is locked, ask again in a moment.'],
  [412, 'It was changed since you read it.', 'Read it again, and send the new tag.'],
  [413, 'The body is too large.', ''],
  [422, 'The Idempotency-Key was used for another request.', 'Take a new key.'],
  [429, 'Too many failed logins.', 'Wait as long as Retry-After says.'],
  [500, 'The service, or the hardware, has failed. It is in the log under the request id.', ''],
  [503, 'Too busy, or no conductor answers.', 'Ask again in a moment.'],
];

function code(text: string): Html {
  return html`<figure><pre tabindex="0" role="group" aria-label="Example"><code>${text}</code></pre></figure>`;
}

/** What stands in the middle of the start page. */
export function guideHtml({ sections }: Model, { folder }: Place): Html {
  const to = (id: string): Html => {
    for (const { slug, operations } of sections) {
      const operation = operations.find((o) => o.id === id);
      if (operation)
        return html`<a href="${folder}${slug}#${id}"><code>${operation.method} ${operation.path}</code></a>`;
    }
    throw new Error(`there is no operation ${id}`);
  };
  return html`<h1>Bare metal, by HTTP</h1>
<p class="lead">Bessemer turns racks of powered-off servers into running machines, and back. This is its API: that of OpenStack Ironic, so that Ironic's clients work as they are, and some more.</p>
<div class="prose">
${code(`curl http://127.0.0.1:6385/v1/nodes -u admin:PASSWORD \\
  -H 'X-OpenStack-Ironic-API-Version: 1.${MAX_MINOR}'`)}
<p>A server is a <em>node</em>. Register it with ${to('createNode')} and its network card with ${to('createPort')}, move it through its life with ${to('setProvisionState')}: <code>manage</code>, <code>provide</code>, <code>active</code>, <code>deleted</code>. When something does not move, ${to('getWhy')} says what is awaited, from whom, until when, and what to do. Every example on these pages was played against the service; on the command line the same is <code>baremetal</code>.</p>

<h2 id="login">Logging in</h2>
<p>Whichever the service was started with: user and password (<code>Authorization: Basic</code>); a bearer token of ${to('createToken')} (<code>Authorization: Bearer</code>); a token of Keystone (<code>X-Auth-Token</code>); or nothing, on a service for one machine. The first start writes the administrator's password to <code>profile.json</code> in the data directory. Each operation says which role it needs: <em>reader</em>, <em>member</em> or <em>admin</em>, in the whole system, in the project that owns the node, or in the one it is lent to (lessee).</p>

<h2 id="versions">Versions</h2>
<p>The API grows by microversions, 1.${MIN_MINOR} to 1.${MAX_MINOR}. A request says which one it speaks in <code>X-OpenStack-Ironic-API-Version</code>, or <code>latest</code>; without the header it is 1.${MIN_MINOR}. Every answer says what it was and what there is (<code>-Minimum-Version</code>, <code>-Maximum-Version</code>), so does ${to('getRoot')}. What is newer than the version asked for is not there: an operation is 404, a parameter or field 406. A version that is not spoken is 406.</p>

<h2 id="lists">Lists</h2>
<p>A page has up to <code>limit</code> entries, 1,000 at most; <code>next</code> is the address of the one after, absent on the last. <code>sort_key</code> and <code>sort_dir</code> order, <code>fields</code> narrows each entry to what you need, <code>detail=true</code> shows all. See ${to('listNodes')}.</p>

<h2 id="tags">No lost update</h2>
<p>Every answer that shows one object has an <code>ETag</code>. Send it as <code>If-Match</code> with <code>PATCH</code>, <code>PUT</code> or <code>DELETE</code>, and the change is made only if nobody was faster, else 412. Send it as <code>If-None-Match</code> with <code>GET</code>, and what you have already comes as 304. See ${to('patchNode')}.</p>

<h2 id="idempotency">No double creation</h2>
<p>Any <code>POST</code> takes <code>Idempotency-Key</code>, a text of your choice such as a UUID. When the answer was lost, send the same again: it is done once, and the first answer comes again for 24 hours, with <code>Idempotency-Replayed: true</code>. See ${to('createChassis')}.</p>

<h2 id="waiting">Waiting</h2>
<p>Orders to machines are taken with 202 and worked on afterwards. With <code>Prefer: wait=300</code>, ${to('setProvisionState')} and ${to('setPowerState')} answer when it is done, well or not, or after so many seconds. To see everything as it happens, follow ${to('streamEvents')}, or have it sent to you: ${to('createWebhook')}. One order for many nodes is ${to('bulk')}.</p>

<h2 id="errors">Errors</h2>
<p>The body is <code>{"error_message": "…"}</code>, and what stands in it is JSON again: <code>faultcode</code>, <code>faultstring</code> (the sentence to read) and <code>debuginfo</code>. <code>OpenStack-Request-Id</code> finds the request in the log.</p>
<table class="fields">${STATUSES.map(
    ([status, meaning, whatToDo]) =>
      html`<tr id="error-${status}"><th scope="row"><span class="status bad">${status}</span></th><td>${meaning} ${whatToDo}</td></tr>`,
  )}</table>

<h2 id="resources">Resources</h2>
</div>
<ul class="cards">${sections.map(
    ({ name, slug, description, operations }) =>
      html`<li><a href="${folder}${slug}"><strong>${name}</strong><span>${description}</span><small>${operations.length} operations</small></a></li>`,
  )}</ul>
<p class="prose">The whole as a document: <a href="${folder}openapi.json">openapi.json</a> (OpenAPI 3.1, with the examples in it).</p>`;
}
