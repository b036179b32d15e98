import { describe, expect, it } from 'vitest';
import { ConfigError, configFromEnvironment, parseConfigFile, resolveConfig, sampleConfig } from './config.ts';

describe('configuration', () => {
  it('has defaults for everything', () => {
    const config = resolveConfig([]);
    expect(config.api.port).toBe(6385);
    expect(config.conductor.enabled_hardware_types).toContain('ipmi');
    expect(String(config.amqp.url)).toBe('[secret]');
    expect(String(config.database.url)).toBe('[secret]');
  });

  it('lets the command line win over the environment and the environment over the file', () => {
    const file = parseConfigFile('[api]\nport = 1\naddress = 0.0.0.0\n', 'f').values;
    const config = resolveConfig([file, configFromEnvironment({ BESSEMER_API_PORT: '2' }), { 'api.port': '3' }]);
    expect(config.api).toMatchObject({ port: 3, address: '0.0.0.0' });
  });

  it('lists all problems at once and names what is known', () => {
    const problems = (() => {
      try {
        resolveConfig([
          { 'api.port': 'x', 'api.auth': 'none', 'api.nosuch': '1', 'nosuch.key': '1', 'database.events_kept': '1' },
        ]);
        return [];
      } catch (error) {
        return error instanceof ConfigError ? error.problems : [];
      }
    })();
    expect(problems).toHaveLength(5);
    expect(problems.join('\n')).toContain('api.auth must be one of http_basic, keystone, noauth');
    expect(problems.join('\n')).toContain('keys of [api]: address, port');
  });

  it('names file and line of what is no option', () => {
    expect(parseConfigFile('[api]\nport\n', 'b.conf').problems).toEqual([
      'b.conf:2: expected a [group] or key = value, found "port"',
    ]);
  });

  it('reads its own sample', () => {
    const { values, problems } = parseConfigFile(sampleConfig().replaceAll(/^#(\w+ = .*)$/gm, '$1'), 'sample');
    expect(problems).toEqual([]);
    expect(() => resolveConfig([values])).not.toThrow();
  });
});
