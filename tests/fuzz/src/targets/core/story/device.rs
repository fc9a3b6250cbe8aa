//! What happens to the device: time passes, it starts again, parts of it fail.

use arbitrary::Unstructured;
use keybearer_core::Caller;

use super::{Story, byte};

impl Story<'_> {
    pub(super) fn advance(&mut self, millis: u64) {
        self.now += millis;
        self.device.get().millis += millis;
    }

    pub(super) fn pass(&mut self, u: &mut Unstructured<'_>) {
        const SPANS: [u64; 8] = [1, 999, 1_000, 29_999, 30_001, 60_000, 3_600_000, 86_400_000];
        let choice = byte(u);
        let span = match choice {
            // The clock goes wrong: back, or to another boot without a restart of the core.
            0xf0..=0xf7 => {
                let mut device = self.device.get();
                let back = device.millis.min(u64::from(choice) * 10);
                device.millis -= back;
                self.lost += back;
                return;
            }
            0xf8.. => {
                let mut device = self.device.get();
                device.boot = device.boot.wrapping_add(1);
                return;
            }
            _ => SPANS[usize::from(choice & 7)] * u64::from(choice >> 3).max(1),
        };
        self.advance(span);
    }

    pub(super) fn restart(&mut self, u: &mut Unstructured<'_>) {
        if byte(u) & 1 == 1 {
            let mut device = self.device.get();
            device.boot = device.boot.wrapping_add(1);
            device.millis = 5_000;
        }
        // The generator is asked when a core is made; a story needs one.
        self.device.get().draws = None;
        self.subject = (self.make)(self.variant, &self.device);
        self.oracle.restarted();
        self.clients = self.subject.connect(Caller::Host).into_iter().collect();
        // A decoder is not without the key side that it is connected to.
        self.decoders.clear();
        self.channels.clear();
        // Handles live on in the hosts' hands, under clients that the new core does not know.
        if let Some(client) = self.clients.first() {
            self.handles
                .iter_mut()
                .for_each(|(_, owner)| *owner = *client);
        }
    }

    pub(super) fn fault(&mut self, u: &mut Unstructured<'_>) {
        let (part, fuse) = (byte(u), Some(byte(u) % 8));
        let mut device = self.device.get();
        match part % 5 {
            0 => device.draws = fuse,
            1 => device.writes = fuse,
            2 => device.reads = fuse,
            3 => device.clock = fuse,
            // A record is not what was stored.
            _ => {
                let place = usize::from(part) % device.slots.len().max(1);
                if let Some(record) = device.slots.values_mut().nth(place) {
                    let at = usize::from(fuse.unwrap_or(0)) * record.len() / 8;
                    record[at] ^= 0x10;
                }
            }
        }
    }
}
