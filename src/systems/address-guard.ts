import { BlockList, isIP } from 'node:net';

const guard = (family: 'ipv4' | 'ipv6', subnets: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [network, prefix] = subnet.split('/');
    list.addSubnet(network!, Number(prefix), family);
  }
  return list;
};

/** IANA IPv4 Special-Purpose Address Registry, multicast and reserved space: nothing of this is a system on the internet. */
const refusedV4 = guard('ipv4', [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16', // link-local, and the metadata services of clouds
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]);

/** Global unicast is all that is ever public: this leaves out ::1, ULA, link-local, multicast, v4-mapped and NAT64 at once. */
const globalUnicastV6 = guard('ipv6', ['2000::/3']);

/** Parts of global unicast that are not the internet, or that carry an IPv4 address inside (Teredo, 6to4). */
const refusedV6 = guard('ipv6', ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/** Whether an IP address (text, without brackets) lies on the public internet. Anything that is no IP address does not. */
export const isPublicAddress = (address: string): boolean => {
  const family = isIP(address);
  if (family === 4) return !refusedV4.check(address, 'ipv4');
  return family === 6 && globalUnicastV6.check(address, 'ipv6') && !refusedV6.check(address, 'ipv6');
};
