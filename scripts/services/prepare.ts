// Installs and builds what the services of the tests need and is not there yet, so that the run of the tests finds it.
import { startServices } from './index.ts'

const services = await startServices()
await services.stop()
