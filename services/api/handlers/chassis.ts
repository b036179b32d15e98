/** Chassis: groups of nodes. */
import { type Chassis, ServiceError } from '@bessemer/core';
import { commonFields, createResource, fieldsFor } from '../resources/resource.ts';

const field = fieldsFor<Chassis>();
const chassis = createResource<Chassis, object>({
  collection: 'chassis',
  path: 'chassis',
  param: 'chassis',
  ident: { called: 'chassis_uuid' },
  patchNamesFirst: true,
  notFound: (ident) => new ServiceError('CHASSIS_NOT_FOUND', `Chassis ${ident} could not be found.`),
  repository: (tx) => tx.chassis,
  summary: ['uuid', 'description'],
  below: [['nodes', 1]],
  wrapsBelow: true,
  fields: [
    ...commonFields<Chassis>(1),
    field('description', 1, 'text', 'description'),
    field('extra', 1, 'json', 'extra'),
  ],
});

export const listChassis = chassis.list;
export const listChassisDetail = chassis.listDetail;
export const getChassis = chassis.get;
export const createChassis = chassis.create;
export const patchChassis = chassis.patch;
export const deleteChassis = chassis.remove;
