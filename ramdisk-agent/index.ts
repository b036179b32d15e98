/** The ramdisk's agent. Its process is main.ts; the simulator runs `createAgent` with the ports of `./testing.ts`. */
export { AGENT_VERSION, createAgent, type Agent, type AgentDeps } from './agent.ts';
export {
  ImageSourceError,
  type Connect,
  type DiskHandle,
  type Disks,
  type EfiBootEntry,
  type Hardware,
  type ImageSource,
} from './ports.ts';
