//! Which deliveries are done: the acknowledged floor rises only past handled ones.

use std::collections::VecDeque;

/// Deliveries from the oldest unhandled one on, by consumer sequence.
#[derive(Default)]
pub struct Window {
    /// Consumer sequence of the first entry.
    base: u64,
    open: VecDeque<Entry>,
    /// Where the acknowledgement of the last popped entry goes.
    floor: Option<String>,
    unflushed: usize,
}

struct Entry {
    ack: String,
    handled: bool,
}

impl Window {
    /// A delivery came. One that does not follow on the last begins a new window: what was open is
    /// not acknowledged and comes again.
    pub fn delivered(&mut self, consumer_seq: u64, ack: String) {
        if consumer_seq != self.base + self.open.len() as u64 {
            self.open.clear();
            self.floor = None;
            self.unflushed = 0;
            self.base = consumer_seq;
        }
        self.open.push_back(Entry { ack, handled: false });
    }

    /// Its outputs are in the log. Of an earlier window: ignored.
    pub fn handled(&mut self, consumer_seq: u64) {
        let Some(entry) = consumer_seq.checked_sub(self.base).and_then(|i| self.open.get_mut(i as usize)) else {
            return;
        };
        entry.handled = true;
        while self.open.front().is_some_and(|entry| entry.handled) {
            self.floor = self.open.pop_front().map(|entry| entry.ack);
            self.base += 1;
            self.unflushed += 1;
        }
    }

    /// How many deliveries are not handled.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How far the floor has risen since it was last taken.
    pub fn unflushed(&self) -> usize {
        self.unflushed
    }

    /// The acknowledgement that covers everything up to the floor.
    pub fn take_floor(&mut self) -> Option<String> {
        self.unflushed = 0;
        self.floor.take()
    }

    /// Forgets everything: another window begins with the next delivery.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_stops_below_the_first_unhandled_delivery() {
        let mut window = Window::default();
        for seq in 5..9 {
            window.delivered(seq, format!("ack {seq}"));
        }
        window.handled(7);
        window.handled(5);
        assert_eq!(window.take_floor().as_deref(), Some("ack 5"));
        window.handled(6);
        assert_eq!(window.take_floor().as_deref(), Some("ack 7"));
        assert_eq!((window.open(), window.take_floor()), (1, None));
    }

    #[test]
    fn after_a_hole_older_deliveries_are_never_acknowledged() {
        let mut window = Window::default();
        window.delivered(5, "ack 5".into());
        window.delivered(9, "ack 9".into());
        window.handled(5);
        assert_eq!(window.take_floor(), None);
        window.handled(9);
        assert_eq!(window.take_floor().as_deref(), Some("ack 9"));
    }
}
