//! What becomes which message: the datagrams of a burst, gathered for few system calls.
//!
//! Pure: no socket and no system call here.

use std::ops::Range;

/// Segments of a super-packet that every kernel with UDP_SEGMENT takes.
const MAX_SEGMENTS: usize = 64;
/// Payload of the largest UDP datagram over IPv4.
const MAX_BYTES: usize = 65_507;

/// A socket address as the system's bytes: `sockaddr_in` or `sockaddr_in6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    bytes: [u8; Self::SIZE],
    length: usize,
}

impl Address {
    const SIZE: usize = size_of::<libc::sockaddr_in6>();

    /// `None` when it is longer than an IPv6 address.
    pub fn new(raw: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::SIZE];
        bytes.get_mut(..raw.len())?.copy_from_slice(raw);
        Some(Self { bytes, length: raw.len() })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Where a datagram goes: socket, address, and the mark (DS field) in its IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub socket: i32,
    pub to: Address,
    /// `None`: whatever the socket is set to.
    pub mark: Option<u8>,
}

/// Datagrams of one route that can leave as one super-packet: equal sizes, the last may be shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub route: Route,
    /// Size of each datagram but the last.
    pub segment: usize,
    pub datagrams: usize,
    start: usize,
    length: usize,
}

impl Message {
    /// The place of all its bytes in [`Batch::bytes`].
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.length
    }

    /// Each datagram as a message of its own.
    pub fn split(self) -> impl Iterator<Item = Self> {
        (0..self.datagrams).map(move |index| {
            let offset = index * self.segment;
            let length = self.segment.min(self.length - offset);
            Self { segment: length, datagrams: 1, start: self.start + offset, length, ..self }
        })
    }

    fn takes(&self, route: &Route, size: usize) -> bool {
        self.route == *route
            && size > 0
            && size <= self.segment
            && self.length == self.segment * self.datagrams // a shorter one has ended it
            && self.datagrams < MAX_SEGMENTS
            && self.length + size <= MAX_BYTES
    }
}

/// The datagrams of a burst, in the order of sending. Its buffers are kept from burst to burst.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    messages: Vec<Message>,
}

impl Batch {
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), messages: Vec::new() }
    }

    pub fn push(&mut self, route: Route, datagram: &[u8]) {
        self.append(route, |bytes| bytes.extend_from_slice(datagram));
    }

    /// The same for a datagram that `write` appends.
    pub fn append(&mut self, route: Route, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.note(route, start);
    }

    /// What has been written since `start` is a datagram.
    fn note(&mut self, route: Route, start: usize) {
        let length = self.bytes.len() - start;
        match self.messages.last_mut() {
            Some(last) if last.takes(&route, length) => {
                last.length += length;
                last.datagrams += 1;
            }
            _ => self.messages.push(Message { route, segment: length, datagrams: 1, start, length }),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Brings the messages of each socket together. What goes to one address keeps its order.
    pub fn group_by_socket(&mut self) {
        if !self.messages.is_sorted_by_key(|message| message.route.socket) {
            // Unstable sorting needs no memory, and the start makes every key different.
            self.messages.sort_unstable_by_key(|message| (message.route.socket, message.start));
        }
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(socket: i32, host: u8, mark: Option<u8>) -> Route {
        Route { socket, to: Address::new(&[host; 16]).expect("fits"), mark }
    }

    /// Sizes of the datagrams of each message.
    fn shape(batch: &Batch) -> Vec<Vec<usize>> {
        batch.messages().iter().map(|message| message.split().map(|single| single.range().len()).collect()).collect()
    }

    fn gathered(sizes: &[usize]) -> Vec<Vec<usize>> {
        let mut batch = Batch::new();
        for &size in sizes {
            batch.push(route(3, 1, None), &vec![7; size]);
        }
        shape(&batch)
    }

    #[test]
    fn equal_sizes_join_and_a_shorter_one_ends_the_message() {
        assert_eq!(gathered(&[1200, 1200, 1200]), [vec![1200, 1200, 1200]]);
        assert_eq!(gathered(&[1200, 1200, 300, 1200]), [vec![1200, 1200, 300], vec![1200]]);
        assert_eq!(gathered(&[300, 1200, 1200]), [vec![300], vec![1200, 1200]]);
        assert_eq!(gathered(&[300, 300, 300, 300, 200]), [vec![300, 300, 300, 300, 200]]);
        assert_eq!(gathered(&[300, 200, 200]), [vec![300, 200], vec![200]]);
    }

    #[test]
    fn datagrams_that_are_written_in_place_join_like_others() {
        let mut batch = Batch::new();
        let route = route(3, 1, None);
        for text in ["first", "other"] {
            batch.append(route, |bytes| {
                bytes.extend_from_slice(text.as_bytes());
                bytes.extend_from_slice(b"##");
            });
        }
        batch.push(route, b"third##");
        assert_eq!(shape(&batch), vec![vec![7, 7, 7]]);
        assert_eq!(batch.bytes(), b"first##other##third##");
    }

    #[test]
    fn empty_datagrams_stay_alone() {
        assert_eq!(gathered(&[10, 0, 0, 10]), [vec![10], vec![0], vec![0], vec![10]]);
    }

    #[test]
    fn a_message_holds_64_segments_and_65507_bytes() {
        let lengths = |sizes: &[usize]| gathered(sizes).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[100; 130]), [64, 64, 2]);
        assert_eq!(lengths(&[1400; 100]), [46, 46, 8]);
        assert_eq!(lengths(&[65_507; 2]), [1, 1]);
    }

    #[test]
    fn another_address_socket_or_mark_begins_a_message() {
        let mut batch = Batch::new();
        let routes = [route(3, 1, None), route(3, 2, None), route(4, 2, None), route(4, 2, Some(0xb8))];
        for route in routes {
            batch.push(route, &[1; 50]);
            batch.push(route, &[2; 50]);
        }
        assert_eq!(shape(&batch), vec![vec![50, 50]; 4]);
        let found: Vec<Route> = batch.messages().iter().map(|message| message.route).collect();
        assert_eq!(found, routes);
    }

    #[test]
    fn addresses_longer_than_ipv6_are_refused() {
        assert_eq!(Address::new(&[0; 110]), None);
        assert_eq!(Address::new(&[5; 28]).expect("fits").bytes(), [5; 28]);
    }

    #[test]
    fn grouping_by_socket_keeps_the_order_of_each_address() {
        let mut batch = Batch::new();
        for index in 0..60_u8 {
            let size = 10 + usize::from(index); // growing: nothing joins
            batch.push(route(3 + i32::from(index % 3), index % 2, None), &vec![index; size]);
        }
        batch.group_by_socket();
        let sockets: Vec<i32> = batch.messages().iter().map(|m| m.route.socket).collect();
        assert!(sockets.is_sorted());
        for socket in 3..6 {
            let first_bytes: Vec<u8> = (batch.messages().iter())
                .filter(|message| message.route.socket == socket)
                .map(|message| batch.bytes()[message.range().start])
                .collect();
            assert_eq!(first_bytes.len(), 20);
            assert!(first_bytes.is_sorted());
        }
    }

    #[test]
    fn splitting_gives_back_the_datagrams() {
        let mut batch = Batch::new();
        let sent: Vec<Vec<u8>> = (0..5).map(|i| vec![i; if i == 4 { 7 } else { 90 }]).collect();
        for datagram in &sent {
            batch.push(route(3, 1, None), datagram);
        }
        let [message] = batch.messages() else { panic!("one message") };
        let found: Vec<&[u8]> = message.split().map(|one| &batch.bytes()[one.range()]).collect();
        assert_eq!(found, sent);
    }
}
