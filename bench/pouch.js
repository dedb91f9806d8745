// PouchDB as a peer. `node pouch.js serve DIR PORT` serves an express-pouchdb; `node pouch.js pull URL DIR` replicates
// from it once and prints what that took as JSON. Run by bench/peers.py in a scratch folder that holds the packages.
'use strict'
const fs = require('fs')
const readline = require('readline')
const PouchDB = require('pouchdb')

const BATCH = 1000

async function fill (database, file, change) {
  let batch = []
  let rows = 0
  const flush = async () => {
    if (change && batch.length) {
      const held = await database.allDocs({ keys: batch.map(doc => doc._id) })
      held.rows.forEach((row, place) => { batch[place]._rev = row.value.rev })
    }
    const written = await database.bulkDocs(batch)
    rows += written.filter(each => each.ok).length
    batch = []
  }
  for await (const line of readline.createInterface({ input: fs.createReadStream(file) })) {
    batch.push(JSON.parse(line))
    if (batch.length === BATCH) await flush()
  }
  await flush()
  return rows
}

async function serve (directory, port) {
  const express = require('express')
  const Local = PouchDB.defaults({ prefix: directory + '/' })
  const database = new Local('listings')
  const app = express()
  const sockets = new Set()
  let closed = 0
  app.get('/bench/bytes', (request, response) => {
    let bytes = closed
    for (const socket of sockets) bytes += socket.bytesWritten + socket.bytesRead
    response.json({ bytes })
  })
  app.post('/bench/fill', async (request, response) => {
    response.json({ rows: await fill(database, request.query.file, request.query.change === '1') })
  })
  app.use('/', require('express-pouchdb')(Local, { mode: 'minimumForPouchDB', logPath: directory + '/log.txt', configPath: directory + '/config.json' }))
  const server = app.listen(Number(port), '127.0.0.1')
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => {
      closed += socket.bytesWritten + socket.bytesRead
      sockets.delete(socket)
    })
  })
}

async function pull (url, directory) {
  const database = new PouchDB(directory)
  const start = process.hrtime.bigint()
  const result = await database.replicate.from(url + '/listings', { batch_size: BATCH })
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  await database.close()
  console.log(JSON.stringify({ seconds, rows: result.docs_written, failures: result.doc_write_failures }))
}

const [what, ...rest] = process.argv.slice(2)
if (what === 'serve') serve(...rest)
else pull(...rest).catch(problem => { console.error(problem); process.exit(1) })
