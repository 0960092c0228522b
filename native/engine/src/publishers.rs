//! Whose packets feed a published stream.

use crate::config::AnsweredLeg;
use core_media::demux::Line;
use core_media::frame::Kind;
use core_media::media::Format;
use rtc::TrackId;

/// Names a publisher within one engine; never used twice.
pub type PublisherKey = u64;

/// A publisher's tracks: where it is told what it has to know.
pub type Tracks = Vec<(Kind, TrackId)>;

/// The publishers of one stream. The newest that has sent something feeds it, so that one that takes over cuts nobody off
/// before it can send itself.
#[derive(Debug, Default)]
pub struct Publishers {
    /// In the order in which they came.
    all: Vec<Publisher>,
    feeding: Option<PublisherKey>,
}

#[derive(Debug)]
pub struct Publisher {
    pub key: PublisherKey,
    pub tracks: Tracks,
    /// How its packets are told apart.
    pub lines: Vec<Line>,
    /// The legs that it carries, where its answer is known already; one that is pulled is asked first.
    pub carries: Option<Vec<Kind>>,
}

/// What becomes of a publisher's packet.
#[derive(Debug)]
pub enum Admission<'a> {
    Feeds,
    /// It is the first of a publisher that feeds the stream from now on.
    Begins(&'a Publisher),
    Refused,
}

/// What the departure of a publisher means to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Nothing feeds it, and nobody is about to.
    Ends,
    GoesOn,
}

impl Publishers {
    pub fn add(&mut self, publisher: Publisher) {
        self.all.push(publisher);
    }

    /// The other server has answered what it sends.
    pub fn accept(&mut self, key: PublisherKey, legs: &[AnsweredLeg]) {
        let publisher = self.all.iter_mut().find(|publisher| publisher.key == key);
        for line in publisher.into_iter().flat_map(|publisher| &mut publisher.lines) {
            if let Some(leg) = legs.iter().find(|leg| leg.kind == line.kind) {
                line.format = Some(Format::of(leg.codec, leg.channels));
            }
        }
    }

    pub fn admit(&mut self, key: PublisherKey) -> Admission<'_> {
        if self.feeding == Some(key) {
            return Admission::Feeds;
        }
        let Some(index) = self.position(key) else { return Admission::Refused };
        if self.feeding.and_then(|feeding| self.position(feeding)).is_some_and(|feeding| feeding > index) {
            return Admission::Refused;
        }
        self.feeding = Some(key);
        Admission::Begins(&self.all[index])
    }

    pub fn remove(&mut self, key: PublisherKey) -> Departure {
        self.all.retain(|publisher| publisher.key != key);
        if self.feeding != Some(key) {
            return Departure::GoesOn;
        }
        self.feeding = None;
        if self.all.is_empty() { Departure::Ends } else { Departure::GoesOn }
    }

    /// Where the publisher that feeds a leg hears of it.
    pub fn track(&self, kind: Kind) -> Option<TrackId> {
        let feeding = self.all.iter().find(|publisher| Some(publisher.key) == self.feeding)?;
        feeding.tracks.iter().find(|(leg, _)| *leg == kind).map(|(_, track)| *track)
    }

    fn position(&self, key: PublisherKey) -> Option<usize> {
        self.all.iter().position(|publisher| publisher.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publishers(keys: &[PublisherKey]) -> Publishers {
        let mut publishers = Publishers::default();
        for &key in keys {
            publishers.add(Publisher { key, tracks: Vec::new(), lines: Vec::new(), carries: None });
        }
        publishers
    }

    fn begins(publishers: &mut Publishers, key: PublisherKey) -> bool {
        matches!(publishers.admit(key), Admission::Begins(publisher) if publisher.key == key)
    }

    #[test]
    fn the_first_feeds_until_the_second_sends() {
        let mut publishers = publishers(&[1, 2]);
        assert!(begins(&mut publishers, 1));
        assert!(matches!(publishers.admit(1), Admission::Feeds));
        assert!(begins(&mut publishers, 2));
        assert!(matches!(publishers.admit(1), Admission::Refused));
        assert!(matches!(publishers.admit(2), Admission::Feeds));
        assert_eq!(publishers.remove(1), Departure::GoesOn);
        assert_eq!(publishers.remove(2), Departure::Ends);
        assert!(matches!(publishers.admit(2), Admission::Refused), "a straggler");
    }

    #[test]
    fn whoever_is_left_feeds_the_stream_again() {
        let mut publishers = publishers(&[1, 2]);
        assert!(begins(&mut publishers, 2));
        assert_eq!(publishers.remove(2), Departure::GoesOn);
        assert!(begins(&mut publishers, 1));
    }

    #[test]
    fn the_one_that_feeds_makes_way_for_the_one_that_waits() {
        let mut publishers = publishers(&[1, 2]);
        assert!(begins(&mut publishers, 1));
        assert_eq!(publishers.remove(1), Departure::GoesOn);
        assert!(begins(&mut publishers, 2));
    }
}
