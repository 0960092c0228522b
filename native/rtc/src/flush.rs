//! What happens to gathered messages that the system does not take: wait, split or drop.
//!
//! Pure: the system is behind [`Kernel`].

use crate::batch::{Batch, Message};
use crate::counters::Tally;
use crate::gso::Gso;

/// Why the system did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The socket's buffer is full.
    Full,
    /// It can't be segmented on its way; its datagrams one by one might pass.
    Segmentation,
    /// Its destination can't be reached, or any other error.
    Destination,
}

/// The sending side of the system.
pub(crate) trait Kernel {
    /// Sends messages of one socket, in order; how many it took, or why not even the first.
    fn send(&mut self, bytes: &[u8], messages: &[Message]) -> Result<usize, Refusal>;
    /// Waits until the socket has room; false when the burst's patience is at its end.
    fn wait(&mut self, socket: i32) -> bool;
}

/// Sends a batch that is grouped by socket. `scratch` is memory for split messages.
pub(crate) fn flush(batch: &Batch, gso: &mut Gso, kernel: &mut impl Kernel, scratch: &mut Vec<Message>) -> Tally {
    let mut tally = Tally::default();
    for messages in batch.messages().chunk_by(same_socket) {
        if gso.enabled() {
            drain(batch.bytes(), messages, gso, kernel, scratch, &mut tally);
        } else {
            drain_singly(batch.bytes(), messages, gso, kernel, scratch, &mut tally);
        }
    }
    tally
}

fn same_socket(one: &Message, other: &Message) -> bool {
    one.route.socket == other.route.socket
}

/// Sends the messages of one socket.
fn drain(
    bytes: &[u8],
    messages: &[Message],
    gso: &mut Gso,
    kernel: &mut impl Kernel,
    scratch: &mut Vec<Message>,
    tally: &mut Tally,
) {
    let mut rest = messages;
    while let Some(head) = rest.first() {
        tally.calls += 1;
        match kernel.send(bytes, rest) {
            Ok(count) => {
                let (sent, unsent) = rest.split_at(count.max(1).min(rest.len()));
                tally.datagrams += datagrams(sent);
                if sent.iter().any(|message| message.datagrams > 1) {
                    gso.accepted();
                }
                rest = unsent;
            }
            Err(Refusal::Full) => {
                tally.waits += 1;
                if !kernel.wait(head.route.socket) {
                    // What follows for this viewer would only be a torn picture.
                    let same = |message: &&Message| message.route.to == head.route.to;
                    let (lost, others) = rest.split_at(rest.iter().take_while(same).count());
                    tally.dropped += datagrams(lost);
                    rest = others;
                }
            }
            Err(Refusal::Segmentation) if head.datagrams > 1 => {
                tally.gso_refused += 1;
                gso.refused();
                let (split, others) = rest.split_at(if gso.enabled() { 1 } else { rest.len() });
                drain_singly(bytes, split, gso, kernel, scratch, tally);
                rest = others;
            }
            Err(Refusal::Segmentation | Refusal::Destination) => {
                tally.dropped += datagrams(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
}

/// The same, datagram by datagram.
fn drain_singly(
    bytes: &[u8],
    messages: &[Message],
    gso: &mut Gso,
    kernel: &mut impl Kernel,
    scratch: &mut Vec<Message>,
    tally: &mut Tally,
) {
    let mut singles = std::mem::take(scratch);
    singles.clear();
    singles.extend(messages.iter().flat_map(|message| message.split()));
    drain(bytes, &singles, gso, kernel, scratch, tally);
    *scratch = singles;
}

/// How many there are in messages.
pub(crate) fn datagrams(messages: &[Message]) -> u64 {
    messages.iter().map(|message| message.datagrams as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Address, Route};
    use crate::gso::REFUSALS_IN_A_ROW;

    /// A system that refuses by rule and takes at most three messages at once.
    struct Scripted<F> {
        refuse: F,
        patience: u32,
        calls: u64,
        /// Socket, first byte of the address, sizes of the datagrams.
        sent: Vec<(i32, u8, Vec<usize>)>,
    }

    impl<F: FnMut(&Message) -> Option<Refusal>> Kernel for Scripted<F> {
        fn send(&mut self, _: &[u8], messages: &[Message]) -> Result<usize, Refusal> {
            self.calls += 1;
            let socket = messages[0].route.socket;
            assert!(messages.iter().all(|message| message.route.socket == socket), "one socket a call");
            for (count, message) in messages.iter().take(3).enumerate() {
                match (self.refuse)(message) {
                    Some(refusal) if count == 0 => return Err(refusal),
                    Some(_) => return Ok(count), // the system tells at the next call
                    None => {
                        let sizes = message.split().map(|one| one.range().len()).collect();
                        self.sent.push((socket, message.route.to.bytes()[0], sizes));
                    }
                }
            }
            Ok(messages.len().min(3))
        }

        fn wait(&mut self, _: i32) -> bool {
            let left = self.patience > 0;
            self.patience = self.patience.saturating_sub(1);
            left
        }
    }

    fn route(socket: i32, host: u8) -> Route {
        Route { socket, to: Address::new(&[host; 16]).expect("fits"), mark: None }
    }

    /// Three datagrams to each host, the last one shorter.
    fn batch(hosts: &[u8]) -> Batch {
        let mut batch = Batch::new();
        for &host in hosts {
            for size in [100, 100, 40] {
                batch.push(route(3, host), &vec![host; size]);
            }
        }
        batch
    }

    type Sent = Vec<(i32, u8, Vec<usize>)>;

    fn run(
        batch: &Batch,
        gso: &mut Gso,
        patience: u32,
        refuse: impl FnMut(&Message) -> Option<Refusal>,
    ) -> (Tally, Sent) {
        let mut kernel = Scripted { refuse, patience, calls: 0, sent: Vec::new() };
        let tally = flush(batch, gso, &mut kernel, &mut Vec::new());
        assert_eq!(tally.calls, kernel.calls);
        (tally, kernel.sent)
    }

    fn with_gso() -> Gso {
        Gso::new(true)
    }

    fn host(message: &Message) -> u8 {
        message.route.to.bytes()[0]
    }

    #[test]
    fn super_packets_leave_in_order_several_a_call() {
        let (tally, sent) = run(&batch(&[1, 2, 3, 4]), &mut with_gso(), 0, |_| None);
        let expected: Sent = (1..=4).map(|host| (3, host, vec![100, 100, 40])).collect();
        assert_eq!(sent, expected);
        assert_eq!(tally, Tally { datagrams: 12, calls: 2, ..Tally::default() });
    }

    #[test]
    fn without_gso_the_datagrams_leave_singly_in_order() {
        let mut gso = Gso::new(false);
        let (tally, sent) = run(&batch(&[1, 2]), &mut gso, 0, |_| None);
        let expected: Sent = [1, 2].iter().flat_map(|&to| [100, 100, 40].map(|size| (3, to, vec![size]))).collect();
        assert_eq!(sent, expected);
        assert_eq!(tally, Tally { datagrams: 6, calls: 2, ..Tally::default() });
    }

    #[test]
    fn an_unreachable_destination_costs_nobody_else() {
        let (tally, sent) =
            run(&batch(&[1, 2, 3]), &mut with_gso(), 0, |message| (host(message) == 2).then_some(Refusal::Destination));
        assert_eq!(sent.iter().map(|(_, host, _)| *host).collect::<Vec<_>>(), [1, 3]);
        assert_eq!((tally.datagrams, tally.dropped), (6, 3));
    }

    #[test]
    fn a_full_socket_is_waited_for_and_the_batch_goes_on() {
        let mut full = 2;
        let (tally, sent) = run(&batch(&[1, 2]), &mut with_gso(), 5, |_| {
            full -= i32::from(full > 0);
            (full > 0).then_some(Refusal::Full)
        });
        assert_eq!(sent.len(), 2);
        assert_eq!((tally.datagrams, tally.dropped, tally.waits), (6, 0, 1));
    }

    #[test]
    fn when_patience_ends_the_rest_of_that_viewer_is_dropped() {
        let mut batch = batch(&[1]);
        for size in [50, 100, 90] {
            batch.push(route(3, 2), &vec![2; size]); // three messages, as they grow
        }
        batch.push(route(3, 3), &[3; 10]);
        let mut seen_by_2 = 0;
        let (tally, sent) = run(&batch, &mut with_gso(), 0, |message| {
            seen_by_2 += u32::from(host(message) == 2);
            (host(message) == 2 && seen_by_2 > 1).then_some(Refusal::Full)
        });
        let expected: Sent = vec![(3, 1, vec![100, 100, 40]), (3, 2, vec![50]), (3, 3, vec![10])];
        assert_eq!(sent, expected);
        assert_eq!((tally.datagrams, tally.dropped, tally.waits), (5, 2, 1));
    }

    #[test]
    fn a_refused_super_packet_is_sent_again_datagram_by_datagram() {
        let mut gso = with_gso();
        let refuse = |message: &Message| (host(message) == 2 && message.datagrams > 1).then_some(Refusal::Segmentation);
        let (tally, sent) = run(&batch(&[1, 2, 3]), &mut gso, 0, refuse);
        let expected: Sent = vec![
            (3, 1, vec![100, 100, 40]),
            (3, 2, vec![100]),
            (3, 2, vec![100]),
            (3, 2, vec![40]),
            (3, 3, vec![100, 100, 40]),
        ];
        assert_eq!(sent, expected);
        assert_eq!((tally.datagrams, tally.dropped, tally.gso_refused), (9, 0, 1));
        assert_eq!(gso, with_gso(), "the next one was accepted");
    }

    #[test]
    fn single_datagrams_that_are_too_large_are_dropped_alone() {
        let mut gso = with_gso();
        let refuse =
            |message: &Message| (host(message) == 2 && message.range().len() >= 100).then_some(Refusal::Segmentation);
        let (tally, sent) = run(&batch(&[2, 3]), &mut gso, 0, refuse);
        assert_eq!(sent, [(3, 2, vec![40]), (3, 3, vec![100, 100, 40])]);
        assert_eq!((tally.datagrams, tally.dropped), (4, 2));
    }

    #[test]
    fn what_follows_the_refusal_that_ends_gso_leaves_singly() {
        let mut gso = with_gso();
        let refuse = |message: &Message| (message.datagrams > 1).then_some(Refusal::Segmentation);
        let mut batch = Batch::new();
        for to in 0..40 {
            for size in [100, 100, 40] {
                batch.push(route(3 + i32::from(to >= 36), to), &vec![to; size]);
            }
        }
        let (tally, sent) = run(&batch, &mut gso, 0, refuse);
        assert_eq!((sent.len(), tally.gso_refused), (120, u64::from(REFUSALS_IN_A_ROW)));
        assert!(!gso.enabled());
    }

    #[test]
    fn each_socket_has_its_own_calls() {
        let mut batch = Batch::new();
        for index in 0..6 {
            batch.push(route(3 + index % 2, 1), &[0; 10]);
        }
        batch.group_by_socket();
        let (tally, sent) = run(&batch, &mut with_gso(), 0, |_| None);
        assert_eq!(sent.len(), 6);
        assert_eq!((tally.datagrams, tally.calls), (6, 2));
    }
}
