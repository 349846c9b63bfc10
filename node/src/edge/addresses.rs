//! Rates of client addresses: wrong passwords and registrations.
//!
//! An address is what the socket says. Behind a load balancer that hides addresses it stands for many clients, so only
//! what is rare among honest ones is counted by it.

use crate::commands::{Limit, Refusal};
use crate::metrics::Metrics;
use moka::sync::Cache;
use parking_lot::Mutex;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;
use tim_config::Limits;
use tim_core::rate::{Meter, Rate};

/// Addresses that are remembered per rate.
const ADDRESSES_MAX: u64 = 100_000;
/// After this time a meter is full again, whatever the rate per minute, and need not be remembered.
const REMEMBERED: Duration = Duration::from_secs(90);

/// One rate, for every address.
#[derive(Debug)]
pub(crate) struct AddressRate {
    limit: Limit,
    rate: Option<Rate>,
    meters: Cache<IpAddr, Arc<Mutex<Meter>>>,
}

/// The rates of client addresses.
#[derive(Debug)]
pub(crate) struct AddressRates {
    pub(crate) failed_logins: AddressRate,
    pub(crate) registrations: AddressRate,
}

/// Whoever has an IPv6 address has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

impl AddressRate {
    /// So many per minute from each address, as the key of the configuration says; 0: no limit.
    pub(crate) fn per_minute(key: &'static str, value: u32) -> Self {
        Self {
            limit: Limit { key, value },
            rate: Rate::per_minute(value),
            meters: Cache::builder()
                .max_capacity(ADDRESSES_MAX)
                .time_to_idle(REMEMBERED)
                .build(),
        }
    }

    fn meter(&self, address: IpAddr) -> Arc<Mutex<Meter>> {
        self.meters.get_with(network(address), Arc::default)
    }

    /// Whether one more may come from the address, without counting it.
    pub(crate) fn look(&self, address: IpAddr, metrics: &Metrics) -> Result<(), Refusal> {
        let Some(rate) = &self.rate else { return Ok(()) };
        let looked = self.meter(address).lock().look(rate, crate::clock::now());
        looked.map_err(|too_fast| {
            metrics.limit_reached(self.limit.key);
            Refusal::too_fast(&self.limit, too_fast)
        })
    }

    /// Counts one, if there is room.
    pub(crate) fn take(&self, address: IpAddr, metrics: &Metrics) -> Result<(), Refusal> {
        let Some(rate) = &self.rate else { return Ok(()) };
        let taken = self.meter(address).lock().take(rate, crate::clock::now());
        taken.map_err(|too_fast| {
            metrics.limit_reached(self.limit.key);
            Refusal::too_fast(&self.limit, too_fast)
        })
    }
}

impl AddressRates {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            failed_logins: AddressRate::per_minute(
                "limits.failed_logins_per_address_per_minute",
                limits.failed_logins_per_address_per_minute,
            ),
            registrations: AddressRate::per_minute(
                "limits.registrations_per_address_per_minute",
                limits.registrations_per_address_per_minute,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_its_network_and_others_are_not_in_its_way() {
        let metrics = Metrics::new();
        let rate = AddressRate::per_minute("limits.test", 2);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for text in ["2001:db8::1", "2001:db8::2"] {
            assert!(rate.take(address(text), &metrics).is_ok());
        }
        assert!(rate.look(address("2001:db8::3"), &metrics).is_err());
        assert!(rate.take(address("2001:db8:0:1::1"), &metrics).is_ok());
        for text in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert!(rate.take(address(text), &metrics).is_ok());
        }
        assert!(rate.take(address("192.0.2.1"), &metrics).is_err());
        assert!(rate.take(address("192.0.2.2"), &metrics).is_ok());
        let off = AddressRate::per_minute("limits.test", 0);
        assert!((0..10_000).all(|_| off.take(address("192.0.2.1"), &metrics).is_ok()));
    }
}
