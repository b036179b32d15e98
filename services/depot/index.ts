/** The depot: images checked, converted once, mapped, and handed out by extents. */
export { createDepot, type Depot, type DepotDeps } from './depot.ts';
export { ImageError, type ImageErrorCode } from './errors.ts';
export { createProcesses, type Processes, type ProcessEnd, type ProcessSpec } from './processes.ts';
export { createFileStore, type ExitRow, type ImageRow, type ImageStore, type Rows, type SourceRow } from './store.ts';
export {
  DEPOT_DEFAULTS,
  type DepotConfig,
  type EnsureOptions,
  type ExitRequest,
  type ExitStats,
  type ImageExit,
  type ImageProgress,
  type ImageSource,
  type OpenedExit,
  type ReadyImage,
} from './types.ts';
