/**
 * Full views of nodes as text, kept until the nodes change. Schedulers and dashboards ask for the same nodes again and again,
 * and to see that a view still holds costs a tenth of making it. Each answer asks the database which views hold, so none is
 * older than what it says.
 */
import type { NodeFilter, NodeRepository, NodeValues, Page } from '@bessemer/db';
import type { Conductors } from '../conductors.ts';
import { takeBuffer } from '../http/buffers.ts';
import { digestOf } from '../http/entity-tags.ts';
import { fullFields } from './node-fields.ts';
import { createNodeWriter, type NodeWriter } from './node-rows.ts';

/** What a view is of, but for the node. */
export interface ViewOf {
  /** N of microversion 1.N. */
  readonly minor: number;
  /** Scheme and host for links, no trailing slash. */
  readonly base: string;
  readonly conductors: Conductors;
}

export interface NodeText {
  /** JSON. */
  readonly text: string;
  /** `digestOf` the text. */
  readonly digest: string;
}

export interface KeptNodes {
  /** Where the nodes are read. What others see, a transaction or a project, must not be asked for here. */
  readonly source: NodeRepository;
  /** The page as UTF-8 of `head`, the nodes with commas between them, and what `tail` makes of the uuids that the page has. */
  list(
    of: ViewOf,
    filter: NodeFilter,
    page: Page,
    head: string,
    tail: (uuids: readonly string[]) => string,
  ): Promise<Uint8Array>;
  /** One node by uuid or by name; undefined when there is none. */
  find(of: ViewOf, ident: string): Promise<NodeText | undefined>;
}

/**
 * A node is what it was as long as these are: an id is given once, updated_at grows with every change of the node's row
 * (`NodeRepository.update`), and the others lie in tables that are written without it. The uuid comes first.
 */
const STAMP: readonly string[] = ['uuid', 'id', 'updated_at', 'power_state', 'target_power_state', 'reservation'];

interface Kept {
  readonly stamp: NodeValues;
  readonly text: Buffer;
  digest?: string;
}

/** The views that one writer has made. */
interface Shelf {
  readonly writer: NodeWriter;
  /** The columns of the writer and the stamp's. */
  readonly columns: readonly string[];
  /** Where the stamp is among these. */
  readonly stampAt: readonly number[];
  /** By uuid. */
  readonly kept: Map<string, Kept>;
  readonly rack: Rack;
}

/** Shelves that are emptied together. */
interface Rack {
  /** By version and base. */
  readonly shelves: Map<string, Shelf>;
  /** Size of all texts. */
  bytes: number;
}

/** Enough for 20,000 nodes in the view of one client. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Clients name few versions and hosts; one that names ever new ones only makes all be forgotten. */
const MOST_SHELVES = 100;

const isSame = (a: NodeValues, b: NodeValues): boolean => a.every((value, i) => value === b[i]);

/** What of the conductors stands in views. */
const runsAlike = (a: Conductors, b: Conductors): boolean =>
  a === b ||
  (a.length === b.length &&
    a.every((conductor, i) => {
      const other = b[i]!;
      return (
        conductor.hostname === other.hostname &&
        conductor.conductorGroup === other.conductorGroup &&
        conductor.alive === other.alive &&
        conductor.drivers === other.drivers
      );
    }));

const COMMA = 0x2c;

/** UTF-8 of `head`, the items with commas between them, and `tail`. */
function joined(head: string, items: readonly Uint8Array[], tail: string): Uint8Array {
  const length = items.reduce((sum, item) => sum + item.length + 1, Buffer.byteLength(head) + Buffer.byteLength(tail));
  const all = takeBuffer(length);
  let at = all.write(head);
  for (const [i, item] of items.entries()) {
    if (i > 0) all[at++] = COMMA;
    all.set(item, at);
    at += item.length;
  }
  at += all.write(tail, at);
  return all.subarray(0, at);
}

export function createKeptNodes(source: NodeRepository, mostBytes = MOST_BYTES): KeptNodes {
  let conductors: Conductors = [];
  const emptyRack = (): Rack => ({ shelves: new Map(), bytes: 0 });
  let rack = emptyRack();

  function shelfOf(of: ViewOf): Shelf {
    if (rack.bytes > mostBytes || rack.shelves.size > MOST_SHELVES || !runsAlike(of.conductors, conductors))
      rack = emptyRack();
    conductors = of.conductors;
    const key = `${of.minor} ${of.base}`;
    let found = rack.shelves.get(key);
    if (!found) {
      const writer = createNodeWriter(fullFields(of.minor), { ...of, isFull: true });
      const columns = [...new Set([...writer.columns, ...STAMP])];
      const stampAt = STAMP.map((name) => columns.indexOf(name));
      rack.shelves.set(key, (found = { writer, columns, stampAt, kept: new Map(), rack }));
    }
    return found;
  }

  function keep(shelf: Shelf, rows: readonly NodeValues[]): Kept[] {
    const texts = shelf.writer.writeEach(rows);
    return rows.map((values, i) => {
      const made: Kept = { stamp: shelf.stampAt.map((at) => values[at]!), text: texts[i]! };
      const uuid = shelf.writer.uuidOf(values);
      shelf.rack.bytes += made.text.length - (shelf.kept.get(uuid)?.text.length ?? 0);
      shelf.kept.set(uuid, made);
      return made;
    });
  }

  const holding = ({ kept }: Shelf, stamp: NodeValues): Kept | undefined => {
    const found = kept.get(String(stamp[0]));
    return found && isSame(found.stamp, stamp) ? found : undefined;
  };

  return {
    source,
    async list(of, filter, page, head, tail) {
      const shelf = shelfOf(of);
      const stamps = await source.listValues(STAMP, filter, page);
      const uuids = stamps.map((stamp) => String(stamp[0]));
      const texts = stamps.map((stamp) => holding(shelf, stamp)?.text);
      const changed = uuids.filter((_, i) => texts[i] === undefined);
      if (changed.length > 0) {
        const again = { ...filter, uuids: changed };
        const rows = await source.listValues(shelf.columns, again, { limit: changed.length });
        const made = new Map(keep(shelf, rows).map(({ stamp, text }) => [stamp[0], text]));
        // A node that has gone, or that the filter no longer wants, is left out.
        for (const [i, uuid] of uuids.entries()) texts[i] ??= made.get(uuid);
      }
      return joined(
        head,
        texts.filter((text) => text !== undefined),
        tail(uuids),
      );
    },
    async find(of, ident) {
      const shelf = shelfOf(of);
      const stamp = await source.findValues(STAMP, ident);
      let found = stamp && holding(shelf, stamp);
      if (stamp && !found) {
        const values = await source.findValues(shelf.columns, ident);
        found = values && keep(shelf, [values])[0];
      }
      if (!found) return undefined;
      const text = found.text.toString();
      found.digest ??= digestOf(text);
      return { text, digest: found.digest };
    },
  };
}
