import ipaddr from 'ipaddr.js'
import { NVLMError } from '../../../core/errors.js'

/** The part of IPv6 that is given out to the public (IANA, RFC 4291). All else has no business on the web. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3')

/** Says which addresses may be talked to. */
export type AddressCheck = (address: string) => boolean

/**
 * Public addresses, and those of the networks that are named.
 *
 * Not public are loopback, private, link-local, shared (carrier NAT), multicast, reserved, documentation and benchmark
 * ranges, and IPv6 that carries IPv4 inside (mapped, compatible, 6to4, Teredo, NAT64), whatever is inside.
 *
 * @param networks - such as `10.20.0.0/16`
 * @throws {NVLMError} INVALID_OPTION for what is no network
 */
export function createAddressCheck(networks: readonly string[] = []): AddressCheck {
  const named = networks.map(parseNetwork)
  return address => {
    if (!ipaddr.isValid(address)) return false
    const parsed = ipaddr.parse(address)
    if (named.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match(base, bits))) return true
    if (parsed.range() !== 'unicast') return false
    return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_IPV6)
  }
}

function parseNetwork(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (!ipaddr.isValidCIDR(text)) {
    throw new NVLMError('INVALID_OPTION', `"${text}" is no network, such as 10.20.0.0/16`)
  }
  return ipaddr.parseCIDR(text)
}
