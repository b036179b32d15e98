/** What stands in the two sides of a difference. */

/** An answer whose status differs begins with the status. */
export const statusOf = (text: string): number => Number(text.slice(0, 3));
/** The fault string in such an answer, with its quotes as they are in JSON in JSON. */
export const faultOf = (text: string): string | undefined =>
  /\\"faultstring\\": ?\\"(.*?)\\", ?\\"debuginfo/.exec(text)?.[1];
/** Whether nothing is there for Bessemer at all, rather than no item of that name. */
export const isNowhere = (text: string): boolean => text.startsWith('404 ') && text.includes('There is nothing at ');
/** `Schema error for node: ...`: whose schema it is. */
export const schemaSubject = (text: string): string | undefined => /^"Schema error for ([\w ]+):/.exec(text)?.[1];

/** Microversions with which whole resources came whose controllers look at the arguments first. */
export const WHOLE: ReadonlyArray<readonly [path: RegExp, since: number]> = [
  [/^\/v1\/portgroups/, 23],
  [/^\/v1\/conductors/, 49],
  [/^\/v1\/events/, 54],
];
