// As much of Express 5 as its example asks for, for where Express is not installed: routes, middleware that goes on
// by `next`, errors that go to the handler of four arguments, and JSON both ways.

/** Makes an app: a listener for `node:http` with `get`, `post` and `use`. */
export default function express() {
  const layers = []
  const add = (method, path, handlers) => {
    for (const handler of handlers) layers.push({ method, path, handler })
  }
  const app = (request, response) => {
    response.status = (status) => {
      response.statusCode = status
      return response
    }
    response.json = (value) => {
      response.setHeader('content-type', 'application/json; charset=utf-8')
      return response.end(JSON.stringify(value))
    }
    void run(layers, request, response, 0)
  }
  app.use = (handler) => add(undefined, undefined, [handler])
  app.get = (path, ...handlers) => add('GET', path, handlers)
  app.post = (path, ...handlers) => add('POST', path, handlers)
  return app
}

/** Middleware that reads a JSON body into `request.body`. */
express.json = () => async (request, _response, next) => {
  if (!request.headers['content-type']?.startsWith('application/json')) return next()
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  if (text === '') return next()
  try {
    request.body = JSON.parse(text)
  } catch (error) {
    return next(Object.assign(error, { status: 400 }))
  }
  return next()
}

async function run(layers, request, response, from, error) {
  const at = layers.findIndex(
    ({ method, path, handler }, i) =>
      i >= from &&
      (method === undefined || (method === request.method && path === request.url)) &&
      (error === undefined ? handler.length < 4 : handler.length === 4),
  )
  if (at < 0) return response.status(error === undefined ? 404 : (error.status ?? 500)).end()
  const next = (error) => void run(layers, request, response, at + 1, error)
  try {
    const { handler } = layers[at]
    return await (error === undefined
      ? handler(request, response, next)
      : handler(error, request, response, next))
  } catch (error) {
    return next(error)
  }
}
