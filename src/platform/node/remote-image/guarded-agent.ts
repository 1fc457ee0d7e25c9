import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { Agent, buildConnector } from 'undici'
import type { AddressCheck } from './allowed-address.js'

/** An address that must not be talked to. Says nothing about it: the message may reach a stranger. */
export class BlockedAddressError extends Error {
  override readonly name = 'BlockedAddressError'

  constructor() {
    super('the host has an address that is not public')
  }
}

/** Longest time for a connection. */
const CONNECT_TIMEOUT_MS = 5000

/**
 * A client that connects to allowed addresses only.
 *
 * A name is looked up once, all of its addresses are checked, and the connection goes to one of those that were
 * checked: a name whose second answer differs from its first (rebinding) gains nothing. What the socket says is its
 * peer is checked again before anything is sent.
 *
 * @param isPeerAllowed - may this port of an allowed address be talked to?
 * @param lookup - how names are looked up; default: as the system does
 */
export function createGuardedAgent(
  isAllowed: AddressCheck,
  isPeerAllowed: (address: string, port: string) => boolean,
  lookup: LookupFunction = systemLookup,
): Agent {
  const connect = buildConnector({ lookup: checkedLookup(isAllowed, lookup), timeout: CONNECT_TIMEOUT_MS })
  return new Agent({
    // no other hop may lie in between, and no connection outlives its check for long
    keepAliveTimeout: 1000,
    keepAliveMaxTimeout: 1000,
    connect(options, callback) {
      connect(options, (error, socket) => {
        if (!socket) return callback(error ?? new Error('no connection'), null)
        const { remoteAddress = '' } = socket
        if (isAllowed(remoteAddress) && isPeerAllowed(remoteAddress, options.port))
          return callback(null, socket)
        socket.destroy()
        return callback(new BlockedAddressError(), null)
      })
    },
  })
}

function checkedLookup(isAllowed: AddressCheck, lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, result) => {
      if (error) return callback(error, '')
      const addresses = result as unknown as readonly LookupAddress[]
      const first = addresses[0]
      if (!first || !addresses.every(({ address }) => isAllowed(address))) {
        return callback(new BlockedAddressError() as NodeJS.ErrnoException, '')
      }
      if (options.all) return callback(null, [...addresses])
      return callback(null, first.address, first.family)
    })
  }
}
