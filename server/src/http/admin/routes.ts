import type { App } from '../app.ts'
import type { Services } from '../services.ts'
import { adminEvents } from './events.ts'
import { adminUsers } from './users.ts'

/** Every endpoint for the operator's backend. */
export function registerAdmin(app: App, services: Services): void {
  adminUsers(app, services)
  adminEvents(app, services)
}
