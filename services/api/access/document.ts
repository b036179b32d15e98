/** docs/access.md, made from the table of policies. */
import { OPERATIONS } from '@bessemer/api-spec';
import { CONFIG_SCHEMA } from '@bessemer/core';
import { POLICIES, type Policy, type Roles } from './policy.ts';

const NONE = '';
const PROSE = `# Who may do what

Made by \`node tools/gen-access.ts\` from \`services/api/access/policy.ts\`, which is what the API enforces.

## Logging in

The version documents, \`/healthcheck\` and the documentation at \`/docs\` are open to all: nothing in them is of this installation. For everything else:

\`bessemer up --auth STRATEGY\`, or \`api.auth\`:

- **http_basic** (the default). The first start makes a user \`admin\` and writes the password, mode 0600, to \`profile.json\` in the data directory and where the command line looks.
  More users stand in an htpasswd file, \`access.user_file\`, with bcrypt hashes only (\`htpasswd -nB ann >> users\`); a change of the file holds within a second.
  \`access.users = ann:member:PROJECT, bob:reader\` says what they may do; without a project the role holds in the whole system. While that list is empty every user of the
  file is a system administrator, as with Ironic; once it is not, who is not named may not log in.
- **keystone**. \`X-Auth-Token\` is validated with the Keystone at \`keystone.url\`, by the user \`keystone.username\`, and believed until it expires, at most for \`keystone.cache_ms\`: as long a revoked
  token may still be taken. What Keystone does not know is 401; when Keystone does not answer, the answer is 503. Roles are \`admin\`, \`member\` and \`reader\`; \`manager\` counts as member. The role \`service\` is a system
  administrator with system scope, a system member in the project \`keystone.project\`, and a member in any other project. The profile of the first start holds a bearer token then.
- **noauth**. Everybody is a system administrator; the API listens on loopback only and keeps no audit, for it knows no users.

Beside http_basic and keystone there are **bearer tokens**: \`POST /v1/tokens {"name": "ci", "role": "member", "project": "p", "expires_in": 86400}\` answers with the token, which is shown this once
and stored as its SHA-256. Send it as \`Authorization: Bearer bsm_...\`, or as \`X-Auth-Token\`, so that Ironic's own client takes it too (\`--os-auth-type admin_token --os-token bsm_...\`).
Without \`expires_in\` a token lives 90 days; \`null\` is for ever. Nobody makes a token that is stronger or wider than themselves, and none outlives the token that it was made with.
\`GET /v1/tokens\` says when each was last used, to the minute; \`DELETE /v1/tokens/NAME\` ends it with the next request, and an open event stream within half a minute.

Failed log-ins are counted per user and address (\`access.max_failed_logins\`), per address (three times as many) and per user (ten times as many). Each further one doubles a wait from one second to five minutes, in which the answer is
429 with \`Retry-After\`; after 15 quiet minutes all is forgotten. Who is logged in already is not held up. Behind a reverse proxy, name it in \`access.trusted_proxies\`. An IPv6 network of 64 bits counts as one address.
Each \`api\` process counts for itself, in memory: a shared count would let anybody write to the database without a log-in, and hold up everybody who waits for it. So behind a load balancer that
spreads requests over N processes, one guesser has N times as many attempts; where that is too many, divide \`access.max_failed_logins\` by N, or send each address to the same process. After a restart all is forgotten.

## Roles and projects

\`admin\` may do what \`member\` may, and \`member\` what \`reader\` may. A role holds in the whole system, or in one project. A project sees the nodes whose \`owner\` or \`lessee\` it is, with their ports, port groups,
volumes, events and all that lies below them; its own allocations, runbooks and tokens; and the public runbooks. What it does not see is 404, in lists it is not there, and what it creates it owns. What it sees and may not do is 403, with a sentence that names
the role that is missing.

A lessee is shown no \`driver_info\`, \`driver_internal_info\`, \`last_error\` and no holder of a lock: there stands that they are redacted. The words of failures in events and timelines are redacted for it likewise, and it is not told who did what.
Of the past it is shown what happened since the node was lent to it, in \`GET /v1/events\`, in timelines and of runs (one that was under way then counts as its own); the owner and the system see everything. The mark is
set in the write that makes a project the lessee, and is a place among the events, not a time, so clocks do not matter; a lessee that gave a node back and gets it again sees nothing of its first time.
Steps for child nodes (\`execute_on_child_nodes\`) need for each child what ordering them on the child itself would need, when they are ordered: children that are named must be seen (404) and allowed (403); without names they are
done, for who asks in a project, on the children that the project sees, and on no others.
The properties of volume targets are shown to administrators. Passwords and other secrets are \`******\` for everybody, and are stored encrypted.
Secrets are known by the name of their field. A password inside another text, such as the URL of an \`image_source\` or of a virtual medium, is shown to whoever may read the node, as Ironic shows it; it is in no event and no log.

## The audit

Every change leaves an event \`access.changed\` with user, role, project, operation, target, the paths of a patch or the target of a state (no values), request id and address; it is written in the
transaction of the change where there is one. Refused log-ins leave \`access.refused\`. \`GET /v1/events?type=access.changed,access.refused\` reads both; \`api.audit = false\` turns it off.
`;

const optionRows = () =>
  (['access', 'keystone'] as const).flatMap((group) =>
    Object.entries(CONFIG_SCHEMA[group]).map(([key, option]) => `| \`${group}.${key}\` | ${option.help} |`),
  );

const cell = (role: string | undefined) => role ?? NONE;
function rolesOf(policy: Policy): readonly string[] {
  if (policy.about === 'public') return ['everybody', 'everybody', 'everybody'];
  if (policy.about === 'service' || policy.about === 'list') {
    const { project } = policy as { project?: string };
    return [policy.system, cell(project && `${project} of any`), cell(project && `${project} of any`)];
  }
  const roles: Roles = policy as Roles;
  return [roles.system, cell(roles.owner), cell(roles.lessee)];
}
const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: ReadonlyArray<readonly string[]>) => [
  line(head),
  line(head.map(() => '---')),
  ...rows.map(line),
];

/** The page as a whole. */
export function accessDocument(): string {
  const operations = OPERATIONS.map((operation) => ({ ...operation, policy: POLICIES[operation.operationId]! }));
  const scopes = ['System', 'Owner', 'Lessee'];
  return `${[
    PROSE,
    '## Options',
    '',
    ...table(['Option', ''], []),
    ...optionRows(),
    '',
    '## Operations',
    '',
    'The least role with system scope, in the project that owns what the request is about, and in the project that leases it. An empty cell: not at all. For allocations, runbooks and tokens only the owner counts; a public runbook is lent to everybody.',
    '',
    ...table(
      ['Request', ...scopes],
      operations.map(({ method, path, policy }) => [`\`${method} ${path}\``, ...rolesOf(policy)]),
    ),
    '',
    '## Fields',
    '',
    'These need the role of their own row in addition to that of the operation.',
    '',
    ...table(
      ['Operation', 'Field', ...scopes],
      operations.flatMap(({ operationId, policy }) =>
        Object.entries(('fields' in policy ? policy.fields : undefined) ?? {}).map(([field, roles]) => [
          operationId,
          `\`${field}\``,
          roles.system,
          cell(roles.owner),
          cell(roles.lessee),
        ]),
      ),
    ),
  ].join('\n')}\n`;
}
