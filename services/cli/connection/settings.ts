/** The settings of a connection, and what they are called as an option, as a variable and in clouds.yaml. */

interface Names {
  /** Attribute names of options, the first that is given counts. */
  readonly options: readonly string[];
  readonly variables: readonly string[];
  /** Paths below a cloud. */
  readonly cloud: readonly string[];
}

const auth = (option: string): Names => {
  const words = option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return { options: [option], variables: [words.toUpperCase()], cloud: [`auth.${words.replace(/^os_/, '')}`] };
};

const SETTINGS = {
  endpoint: {
    options: ['osEndpoint', 'osEndpointOverride'],
    variables: ['OS_ENDPOINT', 'OS_ENDPOINT_OVERRIDE'],
    cloud: ['baremetal_endpoint_override', 'auth.endpoint'],
  },
  authType: { options: ['osAuthType', 'osAuthPlugin'], variables: ['OS_AUTH_TYPE'], cloud: ['auth_type'] },
  apiVersion: {
    options: ['osBaremetalApiVersion'],
    variables: ['OS_BAREMETAL_API_VERSION'],
    cloud: ['baremetal_api_version', 'baremetal_default_microversion'],
  },
  region: { options: ['osRegionName'], variables: ['OS_REGION_NAME'], cloud: ['region_name'] },
  interface: { options: ['osInterface'], variables: ['OS_INTERFACE'], cloud: ['baremetal_interface', 'interface'] },
  authUrl: auth('osAuthUrl'),
  username: auth('osUsername'),
  userId: auth('osUserId'),
  password: auth('osPassword'),
  token: auth('osToken'),
  userDomainName: auth('osUserDomainName'),
  userDomainId: auth('osUserDomainId'),
  projectName: auth('osProjectName'),
  projectId: auth('osProjectId'),
  projectDomainName: auth('osProjectDomainName'),
  projectDomainId: auth('osProjectDomainId'),
  systemScope: auth('osSystemScope'),
  applicationCredentialId: auth('osApplicationCredentialId'),
  applicationCredentialSecret: auth('osApplicationCredentialSecret'),
} as const satisfies Readonly<Record<string, Names>>;

export type Setting = keyof typeof SETTINGS;
/** What one source says; a setting that it does not have is missing. */
export type Settings = Partial<Readonly<Record<Setting, string>>>;

const NAMES: ReadonlyArray<readonly [Setting, Names]> = Object.entries(SETTINGS) as Array<[Setting, Names]>;

/** The settings that `valueOf` knows under the names of `kind`; empty values count as missing. */
export function settingsFrom(kind: keyof Names, valueOf: (name: string) => string | undefined): Settings {
  return Object.fromEntries(
    NAMES.flatMap(([setting, names]) => {
      const value = names[kind].map(valueOf).find((v) => v !== undefined && v !== '');
      return value === undefined ? [] : [[setting, value] as const];
    }),
  );
}
