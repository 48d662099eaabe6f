//! The little of DNS (RFC 1035) that finding a room takes: one question, and answers read from whoever cares to send any.
//!
//! No sockets. A packet is believed only where it is complete: the service, its port, its text and an address in one
//! packet, as responders send them (RFC 6763, section 12). Everything is bounded, since anybody in the network may speak.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is asked for and announced.
pub(super) const SERVICE: &str = "_visavis._tcp.local";
/// The largest packet of mDNS (RFC 6762, section 17).
pub(super) const LONGEST: usize = 9000;
/// Records read of one packet; an announcement has five or so, one with many addresses a dozen.
const MOST_RECORDS: usize = 64;
/// Rooms read of one packet.
const MOST_SERVICES: usize = 8;
/// Addresses believed for one room.
pub(super) const MOST_ADDRESSES: usize = 4;
/// Bytes of a name (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 255;

const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const SRV: u16 = 33;
/// Internet, without the bit that means "forget what you had" (RFC 6762, section 10.2).
const INTERNET: u16 = 1;
const FLUSH: u16 = 0x8000;

/// A room that somebody says is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// Its name in lower case; drawn, it says nothing.
    pub instance: String,
    pub port: u16,
    pub addresses: Vec<IpAddr>,
}

/// The question who offers [`SERVICE`], under a number by which an answer to it is known.
pub(super) fn question(id: u16) -> Vec<u8> {
    let mut packet = Vec::with_capacity(64);
    packet.extend(id.to_be_bytes());
    packet.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in SERVICE.split('.') {
        packet.push(label.len() as u8);
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend(PTR.to_be_bytes());
    packet.extend(INTERNET.to_be_bytes());
    packet
}

/// The rooms of this id that an answer tells of; none where it is anything else.
pub(super) fn rooms(packet: &[u8], room: &str) -> Vec<Service> {
    read(packet, room).unwrap_or_default()
}

enum Data {
    Service { port: u16, host: String },
    Room(bool),
    Address(IpAddr),
}

fn read(packet: &[u8], room: &str) -> Option<Vec<Service>> {
    let mut reader = Reader { packet, at: 2 };
    let flags = reader.u16()?;
    // An answer, to a query of the standard kind, without an error.
    if flags & 0xF80F != 0x8000 || packet.len() > LONGEST {
        return None;
    }
    let questions = reader.u16()?;
    let records = usize::from(reader.u16()?) + usize::from(reader.u16()?) + usize::from(reader.u16()?);
    for _ in 0..questions.min(8) {
        reader.name()?;
        reader.skip(4)?;
    }
    let mut known: Vec<(String, Data)> = Vec::new();
    for _ in 0..records.min(MOST_RECORDS) {
        // What is cut off in the middle does not take back what came before.
        let Some((name, data)) = record(&mut reader, room) else { break };
        known.extend(data.map(|data| (name, data)));
    }
    let suffix = format!(".{SERVICE}");
    let mut services = Vec::new();
    for (instance, data) in &known {
        let Data::Service { port, host } = data else { continue };
        let ours = known.iter().any(|(name, data)| name == instance && matches!(data, Data::Room(true)));
        if !ours || !instance.ends_with(&suffix) || services.len() >= MOST_SERVICES {
            continue;
        }
        let mut addresses: Vec<IpAddr> = Vec::new();
        for (name, data) in &known {
            if let Data::Address(address) = data
                && name == host
                && plausible(address)
                && !addresses.contains(address)
            {
                addresses.push(*address);
            }
        }
        addresses.truncate(MOST_ADDRESSES);
        if !addresses.is_empty() {
            services.push(Service { instance: instance.clone(), port: *port, addresses });
        }
    }
    Some(services)
}

/// One record; `None` inside for those that say nothing here, or that are being withdrawn.
fn record(reader: &mut Reader<'_>, room: &str) -> Option<(String, Option<Data>)> {
    let name = reader.name()?;
    let (kind, class) = (reader.u16()?, reader.u16()?);
    let time_to_live = u32::from(reader.u16()?) << 16 | u32::from(reader.u16()?);
    let length = usize::from(reader.u16()?);
    let end = reader.at.checked_add(length).filter(|end| *end <= reader.packet.len())?;
    let mut inside = Reader { packet: reader.packet, at: reader.at };
    let bytes = &reader.packet[reader.at..end];
    reader.at = end;
    if class & !FLUSH != INTERNET || time_to_live == 0 {
        return Some((name, None));
    }
    let data = match kind {
        SRV => {
            inside.skip(4)?;
            let (port, host) = (inside.u16()?, inside.name()?);
            (inside.at <= end && port != 0).then_some(Data::Service { port, host })
        }
        TXT => Some(Data::Room(names_room(bytes, room))),
        A => <[u8; 4]>::try_from(bytes).ok().map(|b| Data::Address(Ipv4Addr::from(b).into())),
        AAAA => <[u8; 16]>::try_from(bytes).ok().map(|b| Data::Address(Ipv6Addr::from(b).into())),
        _ => None,
    };
    Some((name, data))
}

/// Whether a text record (RFC 6763, section 6) holds `room=` and this id; the first such entry counts.
fn names_room(mut text: &[u8], room: &str) -> bool {
    while let Some((length, rest)) = text.split_first() {
        let Some((entry, rest)) = rest.split_at_checked(usize::from(*length)) else { return false };
        if let Some((key, value)) = entry.split_at_checked(5)
            && key.eq_ignore_ascii_case(b"room=")
        {
            return value == room.as_bytes();
        }
        text = rest;
    }
    false
}

/// Whether one may connect there at somebody else's word: no address of this machine's own, nothing that means many.
fn plausible(address: &IpAddr) -> bool {
    let many = match address {
        IpAddr::V4(ip) => ip.is_broadcast() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_some(),
    };
    !many && !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
}

struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u8(&mut self) -> Option<u8> {
        let byte = *self.packet.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.at = self.at.checked_add(bytes).filter(|at| *at <= self.packet.len())?;
        Some(())
    }

    /// A name, in lower case and with dots. A pointer (RFC 1035, section 4.1.4) may only lead back, so that none circles.
    fn name(&mut self) -> Option<String> {
        let mut name = Vec::new();
        let (mut at, mut earliest, mut after) = (self.at, self.at, None);
        loop {
            let length = usize::from(*self.packet.get(at)?);
            match length & 0xC0 {
                0 if length == 0 => {
                    self.at = after.unwrap_or(at + 1);
                    return Some(String::from_utf8_lossy(&name).to_ascii_lowercase());
                }
                0 => {
                    let label = self.packet.get(at + 1..at + 1 + length)?;
                    if name.len() + length + 1 > LONGEST_NAME {
                        return None;
                    }
                    if !name.is_empty() {
                        name.push(b'.');
                    }
                    name.extend(label);
                    at += 1 + length;
                }
                0xC0 => {
                    let target = (length & 0x3F) << 8 | usize::from(*self.packet.get(at + 1)?);
                    if target >= earliest {
                        return None;
                    }
                    after.get_or_insert(at + 2);
                    (at, earliest) = (target, target);
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: &str = "0123456789abcdef0123456789abcdef";

    fn name(text: &str) -> Vec<u8> {
        let labels = text.split('.').flat_map(|l| std::iter::once(l.len() as u8).chain(l.bytes()));
        labels.chain([0]).collect()
    }

    fn entry(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = owner.to_vec();
        bytes.extend(kind.to_be_bytes());
        bytes.extend((INTERNET | FLUSH).to_be_bytes());
        bytes.extend(ttl.to_be_bytes());
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
        bytes
    }

    fn answer(records: &[Vec<u8>]) -> Vec<u8> {
        let mut packet = vec![0, 0, 0x84, 0, 0, 0];
        packet.extend((records.len() as u16).to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(records.concat());
        packet
    }

    fn srv(port: u16, host: &str) -> Vec<u8> {
        [&[0, 0, 0, 0][..], &port.to_be_bytes(), &name(host)].concat()
    }

    fn txt(entries: &[&str]) -> Vec<u8> {
        entries.iter().flat_map(|e| std::iter::once(e.len() as u8).chain(e.bytes())).collect()
    }

    fn announcement(room: &str, ttl: u32) -> Vec<Vec<u8>> {
        let instance = name("0a1b._visavis._tcp.local");
        vec![
            entry(&name(SERVICE), PTR, ttl, &instance),
            entry(&instance, SRV, ttl, &srv(7460, "Visavis-0a1b.local")),
            entry(&instance, TXT, ttl, &txt(&[&format!("room={room}"), "version=1"])),
            entry(&name("visavis-0a1b.local"), A, ttl, &[192, 168, 1, 7]),
            entry(&name("visavis-0a1b.local"), AAAA, ttl, &Ipv6Addr::LOCALHOST.octets()),
        ]
    }

    #[test]
    fn an_announcement_is_read_with_its_port_and_its_addresses() {
        let found = rooms(&answer(&announcement(ROOM, 120)), ROOM);
        let addresses = vec![IpAddr::from([192, 168, 1, 7])];
        assert_eq!(found, [Service { instance: "0a1b._visavis._tcp.local".into(), port: 7460, addresses }]);
    }

    #[test]
    fn names_may_point_back_to_earlier_ones() {
        let mut packet = answer(&announcement(ROOM, 120)[..3]);
        let host = packet.windows(13).position(|w| w == b"\x0cVisavis-0a1b").unwrap();
        let pointer = [0xC0 | (host >> 8) as u8, host as u8];
        packet.extend(entry(&pointer, A, 120, &[10, 0, 0, 9]));
        packet[7] = 4;
        assert_eq!(rooms(&packet, ROOM)[0].addresses, [IpAddr::from([10, 0, 0, 9])]);
    }

    #[test]
    fn other_rooms_goodbyes_questions_and_halves_are_nothing() {
        let all = announcement(ROOM, 120);
        let other = "ffffffffffffffffffffffffffffffff";
        assert!(rooms(&answer(&all), other).is_empty());
        assert!(rooms(&answer(&announcement(ROOM, 0)), ROOM).is_empty(), "withdrawn");
        let mut asked = answer(&all);
        asked[2] = 0;
        assert!(rooms(&asked, ROOM).is_empty(), "a question");
        for missing in 1..4 {
            let mut some = all.clone();
            some.remove(missing);
            assert_eq!(rooms(&answer(&some), ROOM), [], "without record {missing}");
        }
        assert!(rooms(&question(7), ROOM).is_empty());
    }

    #[test]
    fn addresses_that_lead_to_this_machine_or_to_many_are_not_believed() {
        let bad = [[127, 0, 0, 1], [0, 0, 0, 0], [224, 0, 0, 251], [255, 255, 255, 255]];
        for ip in bad {
            let mut records = announcement(ROOM, 120);
            records[3] = entry(&name("visavis-0a1b.local"), A, 120, &ip);
            assert!(rooms(&answer(&records), ROOM).is_empty(), "{ip:?}");
        }
        let mut records = announcement(ROOM, 120);
        for i in 0..40 {
            records.push(entry(&name("visavis-0a1b.local"), A, 120, &[10, 0, 0, i + 1]));
        }
        assert_eq!(rooms(&answer(&records), ROOM)[0].addresses.len(), MOST_ADDRESSES);
    }

    #[test]
    fn a_packet_full_of_rooms_gives_a_few() {
        let mut records = vec![entry(&name("h.local"), A, 120, &[10, 0, 0, 1])];
        for i in 0..31 {
            let instance = name(&format!("{i}._visavis._tcp.local"));
            records.push(entry(&instance, SRV, 120, &srv(7460, "h.local")));
            records.push(entry(&instance, TXT, 120, &txt(&[&format!("room={ROOM}")])));
        }
        assert_eq!(rooms(&answer(&records), ROOM).len(), MOST_SERVICES);
    }

    #[test]
    fn names_that_circle_or_never_end_are_refused() {
        let circle = entry(&[0xC0, 12], A, 120, &[10, 0, 0, 1]);
        assert!(rooms(&answer(&[circle]), ROOM).is_empty());
        let endless = vec![1u8; 4000];
        assert!(rooms(&answer(&[endless]), ROOM).is_empty());
        let label = [&[63u8][..], &[b'a'; 63]].concat();
        let long = [label.repeat(5), vec![0]].concat();
        assert!(Reader { packet: &long, at: 0 }.name().is_none());
    }

    proptest! {
        #[test]
        fn garbage_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = rooms(&bytes, ROOM);
            let mut answer = vec![0, 0, 0x84, 0, 0, 0, 0, 40, 0, 0, 0, 0];
            answer.extend(bytes);
            let _ = rooms(&answer, ROOM);
        }

        #[test]
        fn a_damaged_announcement_is_survived(at in 0usize..200, byte: u8, cut in 0usize..220) {
            let mut packet = answer(&announcement(ROOM, 120));
            let at = at % packet.len();
            packet[at] = byte;
            packet.truncate(cut);
            for service in rooms(&packet, ROOM) {
                prop_assert!(service.addresses.len() <= MOST_ADDRESSES && service.port != 0);
            }
        }
    }
}
