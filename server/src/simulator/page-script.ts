/** What the simulator's page does in the browser. Texts come from anybody, so they reach it as text nodes only. */
export const pageScript = String.raw`
(() => {
  'use strict'
  const PHONES = 60, ITEMS = 30
  const CHANNELS = { sms: 'SMS', whatsapp: 'WhatsApp', call: 'Call' }
  const GOOD = ['delivered', 'read', 'completed'], BAD = ['undelivered', 'failed', 'busy', 'no-answer', 'canceled']
  const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const $ = (id) => document.getElementById(id)
  const phones = new Map() // number → { card, list, count, items: Map of sid → element }

  function make(tag, className, text) {
    const element = document.createElement(tag)
    if (className) element.className = className
    if (text !== undefined) element.textContent = text
    return element
  }

  function makePhone(number) {
    const card = make('article', 'phone'), screen = make('div', 'screen'), who = make('div', 'who')
    const count = make('span', 'muted'), list = make('ol', 'items')
    list.tabIndex = 0
    list.setAttribute('aria-label', 'Messages of ' + number)
    who.append(make('h2', '', number), count)
    screen.append(who, list)
    card.append(screen)
    card.dataset.number = number
    return { card, list, count, items: new Map() }
  }

  function fill(element, item) {
    element.dataset.channel = item.channel
    element.dataset.end = GOOD.includes(item.status) ? 'good' : BAD.includes(item.status) ? 'bad' : ''
    const stamp = make('p', 'stamp', (CHANNELS[item.channel] || item.channel) + (item.from ? ' from ' + item.from.replace(/^whatsapp:/, '') : '') + ' · ')
    const time = make('time', '', clock.format(new Date(item.at)))
    time.dateTime = item.at
    stamp.append(time)
    const row = make('div', 'row')
    if (item.code) {
      const copy = make('button', 'copy', 'Copy ' + item.code)
      copy.type = 'button'
      copy.dataset.copy = item.code
      row.append(copy)
    }
    row.append(make('span', 'status', item.status + (item.error_code ? ' ' + item.error_code : '')))
    const parts = [stamp, make('p', 'bubble', item.text || (item.channel === 'call' ? '(nothing said)' : '(no text)')), row]
    if (item.callbacks.length) {
      const told = make('p', 'told', 'Callbacks: ')
      item.callbacks.forEach(({ status, answer }, index) => {
        if (index) told.append(' · ')
        told.append(make('span', /^2/.test(answer) ? '' : 'wrong', status + ' ' + answer))
      })
      parts.push(told)
    }
    // A button that has the focus must not be made anew: its news can wait for the next.
    const held = element.contains(document.activeElement) && element.querySelector('.copy')
    if (held && row.firstChild.className === 'copy') row.replaceChild(held, row.firstChild)
    element.replaceChildren(...parts)
    if (held) held.focus()
  }

  function take(item, isNews) {
    const known = phones.get(item.to)
    const phone = known || makePhone(item.to)
    const before = phone.items.get(item.sid)
    const element = before || make('li', isNews ? 'item new' : 'item')
    fill(element, item)
    if (before) return
    phone.items.set(item.sid, element)
    phone.list.prepend(element)
    if (phone.items.size > ITEMS) {
      const oldest = phone.items.keys().next().value
      phone.items.get(oldest).remove()
      phone.items.delete(oldest)
    }
    phone.count.textContent = phone.items.size
    phones.delete(item.to)
    phones.set(item.to, phone)
    if (!phone.card.contains(document.activeElement)) $('phones').prepend(phone.card)
    if (phones.size > PHONES) {
      const [oldest, last] = phones.entries().next().value
      last.card.remove()
      phones.delete(oldest)
    }
    if (isNews) $('news').textContent = 'New for ' + item.to + ': ' + item.text
  }

  function show() {
    const wanted = $('filter').value.replace(/\D/g, '')
    for (const [number, { card }] of phones) card.hidden = !number.includes(wanted)
    $('empty').hidden = phones.size > 0
  }

  async function load() {
    const answer = await fetch('/simulator/messages?limit=500')
    if (!answer.ok) return
    phones.clear()
    $('phones').replaceChildren()
    for (const item of (await answer.json()).data.reverse()) take(item, false)
    show()
  }

  function state(name, text) { $('live').dataset.state = name; $('live-text').textContent = text }

  function listen() {
    const events = new EventSource('/simulator/events')
    // What came while there was no connection is read again from the start.
    events.addEventListener('open', () => { state('live', 'Live'); load().catch(() => {}); settings() })
    events.addEventListener('refresh', () => { load().catch(() => {}); settings() })
    events.addEventListener('settings', () => settings())
    events.addEventListener('message', ({ data }) => { for (const item of JSON.parse(data)) take(item, true); show() })
    events.addEventListener('error', () => {
      state('lost', 'Connection lost, trying again')
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000)
    })
  }

  const fields = Array.from(document.querySelectorAll('[data-setting]'))
  const groups = { failures: true }

  function fillIn(values) {
    for (const field of fields) {
      const [name, share] = field.dataset.setting.split('.')
      const value = groups[name] ? values[name][share] : values[name]
      if (field === document.activeElement && field.tagName === 'INPUT' && field.type !== 'checkbox') continue
      if (field.type === 'checkbox') field.checked = value
      else field.value = value === null ? '' : value
    }
    const out = values.outage
    $('notice').hidden = out === 'none'
    $('notice').textContent = 'Outage: ' + ({ refuse: 'every request is answered with 503', hang: 'no request is answered', reset: 'every connection is cut' })[out]
  }

  async function settings(change) {
    const answer = await fetch('/simulator/settings', change && {
      method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(change),
    }).catch(() => undefined)
    if (!answer) return
    const told = await answer.json()
    $('wrong').textContent = answer.ok ? '' : told.message
    if (answer.ok) fillIn(told)
  }

  $('settings').addEventListener('change', ({ target }) => {
    const [name, share] = target.dataset.setting.split('.')
    const text = target.value.trim()
    const value = target.type === 'checkbox' ? target.checked : target.type === 'number' ? (text === '' ? null : Number(text)) : text
    settings(groups[name] ? { [name]: { [share]: value } } : { [name]: value })
  })
  $('settings').addEventListener('submit', (event) => event.preventDefault())
  $('filter').addEventListener('input', show)
  $('reset').addEventListener('click', async () => {
    await fetch('/simulator/reset', { method: 'POST' })
    $('news').textContent = 'Everything forgotten'
  })
  document.addEventListener('click', async ({ target }) => {
    const button = target.closest('[data-copy]')
    if (!button) return
    const text = button.dataset.copy || $(button.dataset.copyFrom).textContent
    const was = button.dataset.was || (button.dataset.was = button.textContent)
    // The clipboard may be refused: over plain http on a name that is not localhost.
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false)
    if (!done) {
      const field = make('textarea', 'unseen')
      field.value = text
      document.body.append(field)
      field.select()
      document.execCommand('copy')
      field.remove()
    }
    button.textContent = 'Copied'
    clearTimeout(button.timer)
    button.timer = setTimeout(() => { button.textContent = was }, 1600)
  })
  const lines = $('environment')
  lines.textContent = lines.textContent.replace('{origin}', location.origin)
  listen()
})()
`
