/** Privilege levels (IPMI v2.0 section 6.8). */
export type PrivilegeLevel = 'CALLBACK' | 'USER' | 'OPERATOR' | 'ADMINISTRATOR';

export const PRIVILEGE_NUMBER: Readonly<Record<PrivilegeLevel, number>> = {
  CALLBACK: 1,
  USER: 2,
  OPERATOR: 3,
  ADMINISTRATOR: 4,
};
