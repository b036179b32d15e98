/** The published document in the form that the pages need. */

type Loose = Readonly<Record<string, unknown>>;

export interface ParameterDoc {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly description: string;
  readonly schema: Loose;
  readonly since: number;
}

export interface ExampleDoc {
  readonly summary: string;
  readonly path: string;
  readonly send: Readonly<Record<string, string>>;
  readonly version: number | undefined;
  readonly cli: string | undefined;
  readonly request: unknown;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly answer: unknown;
}

export interface AnswerDoc {
  readonly status: string;
  readonly description: string;
  /** Of the JSON body. */
  readonly schema: Loose | undefined;
}

export interface OperationDoc {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly description: string | undefined;
  readonly since: number;
  /** Ironic does not have it. */
  readonly isOurs: boolean;
  readonly isPublic: boolean;
  readonly parameters: readonly ParameterDoc[];
  readonly body: Loose | undefined;
  readonly isBodyRequired: boolean;
  readonly answers: readonly AnswerDoc[];
  readonly examples: readonly ExampleDoc[];
}

/** What stands on one page. */
export interface Section {
  readonly name: string;
  /** Last part of the page's address. */
  readonly slug: string;
  readonly description: string;
  readonly operations: readonly OperationDoc[];
}

export interface Model {
  readonly version: string;
  readonly sections: readonly Section[];
  /** Schemas with a name. */
  readonly schemas: Readonly<Record<string, Loose>>;
}

export const isObject = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const object = (value: unknown): Loose => (isObject(value) ? value : {});
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** Reads the text of the published document. */
export function readModel(json: string): Model {
  const document = object(JSON.parse(json));
  const resolve = (value: unknown): Loose => {
    const ref = object(value)['$ref'];
    if (typeof ref !== 'string') return object(value);
    return resolve(
      ref
        .slice(2)
        .split('/')
        .reduce<unknown>((at, part) => object(at)[part], document),
    );
  };
  const jsonSchema = (holder: Loose): Loose | undefined => {
    const media = object(object(holder['content'])['application/json']);
    return isObject(media['schema']) ? media['schema'] : undefined;
  };

  const parameterOf = (value: unknown): ParameterDoc => {
    const p = resolve(value);
    return {
      name: String(p['name']),
      in: p['in'] === 'path' ? 'path' : 'query',
      description: text(p['description']) ?? '',
      schema: object(p['schema']),
      since: Number(p['x-since'] ?? 1),
    };
  };

  /** The value of the example of that name, whichever media type it has. */
  const exampleIn = (holder: Loose, name: string): unknown => {
    for (const media of Object.values(object(holder['content']))) {
      const examples = object(object(media)['examples']);
      if (Object.hasOwn(examples, name)) return object(examples[name])['value'];
    }
    return undefined;
  };

  const operationOf = (path: string, item: Loose, method: string): OperationDoc => {
    const o = object(item[method]);
    const body = resolve(o['requestBody']);
    const responses = object(o['responses']);
    return {
      id: String(o['operationId']),
      method: method.toUpperCase(),
      path,
      summary: String(o['summary']),
      description: text(o['description']),
      since: Number(o['x-since'] ?? 1),
      isOurs: o['x-bessemer'] === true,
      isPublic: list(o['security']).length === 0 && Array.isArray(o['security']),
      parameters: [...list(item['parameters']), ...list(o['parameters'])].map(parameterOf),
      body: jsonSchema(body),
      isBodyRequired: body['required'] === true,
      answers: Object.entries(responses)
        .filter(([status]) => status !== 'default')
        .map(([status, value]) => {
          const response = resolve(value);
          return { status, description: String(response['description']), schema: jsonSchema(response) };
        }),
      examples: list(o['x-examples'])
        .map(object)
        .map((e) => ({
          summary: String(e['summary']),
          path: String(e['path']),
          send: object(e['send']) as Record<string, string>,
          version: typeof e['version'] === 'number' ? e['version'] : undefined,
          cli: text(e['cli']),
          request: e['request'] ?? exampleIn(body, String(e['name'])),
          status: Number(e['status']),
          headers: object(e['headers']) as Record<string, string>,
          answer: exampleIn(resolve(responses[String(e['response'])]), String(e['name'])),
        })),
    };
  };

  const operations = Object.entries(object(document['paths'])).flatMap(([path, value]) => {
    const item = object(value);
    return METHODS.filter((method) => isObject(item[method])).map((method) => ({
      tag: String(list(object(item[method])['tags'])[0]),
      position: Number(object(item[method])['x-position']),
      operation: operationOf(path, item, method),
    }));
  });
  return {
    version: String(object(document['info'])['version']),
    schemas: object(object(document['components'])['schemas']) as Model['schemas'],
    sections: list(document['tags'])
      .map(object)
      .map((tag) => {
        const name = String(tag['name']);
        return {
          name,
          slug: name.replaceAll(' ', '-'),
          description: text(tag['description']) ?? '',
          operations: operations
            .filter((o) => o.tag === name)
            .toSorted((a, b) => a.position - b.position)
            .map((o) => o.operation),
        };
      }),
  };
}
