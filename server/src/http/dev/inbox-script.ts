/**
 * What the inbox page does in the browser. Message texts come from callers, so they reach the document as
 * text nodes only.
 */
export const inboxScript = String.raw`
(() => {
  'use strict'
  const MOST = 500
  const CODE = /(?<![\d+])\d{4,10}(?!\d)/
  const CHANNELS = { sms: 'SMS', whatsapp: 'WhatsApp', call: 'Voice call' }
  const ICON = 'M6 6V4a2 2 0 0 1 2-2h4a2 2 0 0 1 2 2v4a2 2 0 0 1-2 2h-2M4 6h4a2 2 0 0 1 2 2v4a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2z'
  const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
  const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' })
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
  const part = Object.fromEntries(
    ['filter', 'clear', 'numbers', 'numbers-nav', 'no-match', 'try', 'curl', 'whose', 'thread', 'messages', 'empty', 'news', 'live', 'live-text']
      .map((id) => [id, document.getElementById(id)]),
  )

  let messages = [] // oldest first
  let chosen = '' // the number shown; '' shows all
  let late = [] // arrived while the list was being read, so perhaps not on it

  function make(tag, className, text) {
    const element = document.createElement(tag)
    if (className) element.className = className
    if (text !== undefined) element.textContent = text
    return element
  }

  function when(message) {
    const at = new Date(message.at)
    return at.toDateString() === new Date().toDateString() ? clock.format(at) : day.format(at) + ', ' + clock.format(at)
  }

  function filterDigits() {
    return part.filter.value.replace(/\D/g, '')
  }

  function isShown(message) {
    return chosen === '' ? message.to.includes(filterDigits()) : message.to === chosen
  }

  function makeBubble(body, code) {
    const bubble = make('p', 'bubble')
    if (!code) {
      bubble.textContent = body
      return bubble
    }
    bubble.append(body.slice(0, code.index), make('span', 'digits', code[0]), body.slice(code.index + code[0].length))
    return bubble
  }

  function makeCopy(digits) {
    const button = make('button', 'copy')
    button.type = 'button'
    button.dataset.copy = digits
    const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
    icon.setAttribute('viewBox', '0 0 16 16')
    icon.setAttribute('aria-hidden', 'true')
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
    for (const [name, value] of Object.entries({ d: ICON, fill: 'none', stroke: 'currentColor', 'stroke-width': '1.5' })) {
      path.setAttribute(name, value)
    }
    icon.append(path)
    const label = make('span', '', 'Copy ' + digits)
    label.dataset.label = ''
    button.append(icon, label)
    return button
  }

  function makeItem(message) {
    const item = make('li', 'item')
    item.dataset.channel = message.channel
    const stamp = make('p', 'stamp')
    if (chosen === '') stamp.append(make('b', '', message.to), ' · ')
    const time = make('time', '', when(message))
    time.dateTime = message.at
    time.title = full.format(new Date(message.at))
    stamp.append((CHANNELS[message.channel] || message.channel) + ' · ', time)
    const code = CODE.exec(message.body)
    item.append(stamp, makeBubble(message.body, code))
    if (code) item.append(makeCopy(code[0]))
    return item
  }

  function makeNumber(to, last, text) {
    const button = make('button', 'number')
    button.type = 'button'
    button.dataset.to = to
    if (to === chosen) button.setAttribute('aria-current', 'true')
    button.append(make('b', '', to || 'All numbers'), make('span', 'when', when(last)), make('span', 'last', text))
    const item = make('li')
    item.append(button)
    return item
  }

  function drawNumbers() {
    const newest = new Map()
    for (const message of messages) {
      newest.delete(message.to)
      newest.set(message.to, message)
    }
    const wanted = filterDigits()
    const numbers = Array.from(newest).reverse().filter(([to]) => to.includes(wanted))
    const held = document.activeElement && document.activeElement.dataset.to
    const count = messages.filter((message) => message.to.includes(wanted)).length
    const all = count === 1 ? '1 message' : count + ' messages'
    part.numbers.replaceChildren(
      ...(numbers.length ? [makeNumber('', numbers[0][1], all)] : []),
      ...numbers.map(([to, last]) => makeNumber(to, last, last.body)),
    )
    if (held !== undefined) {
      const again = Array.from(part.numbers.querySelectorAll('button')).find((button) => button.dataset.to === held)
      if (again) again.focus()
    }
    part['numbers-nav'].hidden = numbers.length === 0
    part['no-match'].hidden = messages.length === 0 || numbers.length > 0
    part.clear.disabled = messages.length === 0
  }

  function toEnd() {
    part.thread.scrollTop = part.thread.scrollHeight
  }

  function draw() {
    if (chosen !== '' && !messages.some((message) => message.to === chosen && isShown(message))) chosen = ''
    drawNumbers()
    const shown = messages.filter(isShown)
    part.messages.replaceChildren(...shown.map(makeItem))
    part.whose.textContent = chosen || 'All numbers'
    part.empty.hidden = messages.length > 0
    toEnd()
  }

  function arrive(message) {
    if (messages.some((known) => known.id === message.id)) return
    if (messages.length === 0) part.try.open = false
    messages.push(message)
    late = late.concat(message).slice(-MOST)
    part.news.textContent = 'New message to ' + message.to + ': ' + message.body
    if (messages.length > MOST) {
      messages = messages.slice(-MOST)
      draw()
      return
    }
    drawNumbers()
    part.empty.hidden = true
    if (!isShown(message)) return
    const atEnd = part.thread.scrollHeight - part.thread.scrollTop - part.thread.clientHeight < 80
    const item = makeItem(message)
    item.classList.add('new')
    part.messages.append(item)
    if (atEnd) toEnd()
  }

  async function load() {
    late = []
    const answer = await fetch('/dev/inbox/messages?limit=' + MOST)
    if (!answer.ok) return
    const { data } = await answer.json()
    const before = messages.length
    const listed = new Set(data.map((message) => message.id))
    messages = data.reverse().concat(late.filter((message) => !listed.has(message.id)))
    late = []
    if (before === 0 || messages.length === 0) part.try.open = messages.length === 0
    draw()
  }

  function show(state, text) {
    part.live.dataset.state = state
    part['live-text'].textContent = text
  }

  function listen() {
    const events = new EventSource('/dev/inbox/events')
    // What came while there was no connection is read again from the start.
    events.addEventListener('open', () => { show('live', 'Live'); load().catch(() => {}) })
    events.addEventListener('error', () => {
      show('lost', 'Connection lost, trying again')
      // The browser gives up for good after a refusal, such as while the server starts again.
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000)
    })
    events.addEventListener('message', (event) => arrive(JSON.parse(event.data)))
  }

  part.numbers.addEventListener('click', (event) => {
    const button = event.target.closest('button')
    if (!button) return
    chosen = button.dataset.to
    draw()
  })
  part.filter.addEventListener('input', () => { chosen = ''; draw() })
  part.clear.addEventListener('click', async () => {
    const answer = await fetch('/dev/inbox/messages', { method: 'DELETE' })
    if (!answer.ok) return
    messages = []
    late = []
    part.filter.value = ''
    part.try.open = true
    part.news.textContent = 'Inbox cleared'
    draw()
    part.filter.focus()
  })
  part.curl.textContent = [
    'curl -X POST ' + location.origin + '/v1/verifications \\',
    '  -H "Authorization: Bearer $COUNTERSIGN_KEY" \\',
    '  -H "Content-Type: application/json" \\',
    "  -d '{\"to\": \"+14155552671\"}'",
  ].join('\n')
  load().catch(() => {})
  listen()
})()
`
