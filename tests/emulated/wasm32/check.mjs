// node check.mjs MODULE VECTORS   holds the kernel, as WebAssembly, to IEEE's vectors and to the OpenSSL in Node.

import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const [module, vectors] = process.argv.slice(2)
const { instance } = await WebAssembly.instantiate(readFileSync(module))
const { memory, arguments_at, run } = instance.exports

// One call, on the arguments where src/lib.rs expects them.
function call(key, tweak, sectorSize, data, decrypt) {
  const bytes = new Uint8Array(memory.buffer, arguments_at(), 80 + data.length)
  bytes.set(key, 64 - key.length)
  bytes.set(tweak, 64)
  bytes.set(data, 80)
  assert.equal(run(key.length, sectorSize, data.length, decrypt), 0)
  return Buffer.from(bytes.subarray(80))
}

// Both directions.
function check(key, tweak, sectorSize, plain, cipher, what) {
  assert.deepEqual(call(key, tweak, sectorSize, plain, false), cipher, `encryption: ${what}`)
  assert.deepEqual(call(key, tweak, sectorSize, cipher, true), plain, `decryption: ${what}`)
}

let count = 0
for (const vector of readFileSync(vectors, 'latin1').split(/^VECTOR /m).slice(1)) {
  const field = name => Buffer.from(new RegExp(`^${name} (\\w+)$`, 'm').exec(vector)[1], 'hex')
  const plain = field('PTX')
  const key = Buffer.concat([field('KEY1'), field('KEY2')])
  check(key, field('TWEAK'), plain.length, plain, field('CTX'), `vector ${vector.split('\n')[0]}`)
  count += 1
}
assert.equal(count, 19)

// Bytes that look random and are the same in every run.
const bytes = (seed, length) => createHash('shake256', { outputLength: length }).update(seed).digest()

// Every kind of length, and several sectors of each: OpenSSL takes them one by one.
for (const keyLength of [32, 64]) {
  const key = bytes('key', keyLength)
  for (let size = 16; size <= 600; size += 1) {
    const sectors = 1 + size % 4
    const plain = bytes(`${size}`, size * sectors)
    const numbers = Array.from({ length: sectors }, (_, i) => {
      const number = Buffer.alloc(16)
      number.writeBigUInt64LE(0xffffffffn - 1n + BigInt(i))
      return number
    })
    const cipher = numbers.map((number, i) => {
      const xts = createCipheriv(`aes-${4 * keyLength}-xts`, key, number)
      return Buffer.concat([xts.update(plain.subarray(i * size, (i + 1) * size)), xts.final()])
    })
    check(key, numbers[0], size, plain, Buffer.concat(cipher), `${sectors} sectors of ${size} bytes`)
    count += 1
  }
}
console.log(`wasm32: ${count} cases agree`)
