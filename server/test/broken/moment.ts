/** Waits as a driver does, so that others come in between. */
export const moment = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })
