/** The connections of agents, as the engine sees them. */
import type { AgentJournal, SessionOrder } from '@bessemer/agent-protocol';

/** One open connection. A new connection of the same boot is another link. */
export interface AgentLink {
  readonly bootId: string;
  readonly address: string;
  /** What the agent said it holds, at its hello or when it was asked last. */
  readonly journal: AgentJournal;
  /** Names of the steps that it can do. */
  readonly steps: readonly string[];
}

export interface AgentLinks {
  link(runId: string): AgentLink | undefined;
  /** When the agent of a link that is lost was heard last, ms since the epoch; undefined while one is open or when none is known. */
  lostAt(runId: string): number | undefined;
  /** Sends an order to the run's agent; false when there is no link. */
  order(runId: string, message: SessionOrder): boolean;
}
