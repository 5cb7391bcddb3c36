//! Whoever asks knows of his own, whatever happens to it.

use super::court::{ALICE, BOB, Court, key};
use crate::emperor::event::{Command, Event, Owner, VassalId, Whose};
use crate::emperor::order::from_vassal;
use crate::emperor::policy::Policy;
use crate::emperor::sender::Sender;

/// Nobody, root, Alice, Bob, and whoever has no number here.
const ASKING: [u32; 5] = [7, 0, ALICE.uid, BOB.uid, 65_534];

fn known_to(court: &Court, uid: u32) -> Vec<VassalId> {
    court.emperor.known_to(Sender { uid, emperor: 0 }).map(|(id, _)| id).collect()
}

/// What is found by looking at all of them, in the order of their names.
fn found_for(court: &Court, uid: u32) -> Vec<VassalId> {
    let sender = Sender { uid, emperor: 0 };
    let all = court.emperor.vassals.values().filter(|vassal| !vassal.is_zerg);
    let mut his: Vec<_> = all.filter(|vassal| sender.may_command(vassal.config.owner)).collect();
    his.sort_by_key(|vassal| vassal.key.clone());
    his.into_iter().map(|vassal| vassal.id).collect()
}

#[test]
fn everybody_knows_of_what_is_his_by_the_newest_configs_and_of_nothing_else() {
    let mut court = Court::new(Policy { broodlord: 2, tenant_max: 2, ..Policy::default() });
    let steps: [fn(&mut Court); 12] = [
        |court| _ = court.see_of("shop", 1, ALICE),
        |court| _ = court.see_of("blog", 1, ALICE),
        |court| _ = court.see_of("wiki", 1, BOB),
        // One more than there may be.
        |court| _ = court.see_of("cart", 1, ALICE),
        |court| _ = court.see_refused("none", 1, "nobody may read it"),
        |court| _ = court.up("shop"),
        |court| {
            court.wait_ms(1_000);
            court.say("shop", from_vassal::SOS);
        },
        // It runs as Alice still.
        |court| _ = court.see_of("shop", 2, BOB),
        |court| _ = court.tell(Event::Commanded(court.which("blog").id, Command::Disable(Whose::Master))),
        |court| _ = court.unsee("cart"),
        |court| {
            court.unsee("shop");
            court.exit("shop", 0);
        },
        |court| _ = court.tell(Event::OwnerDisabled(BOB.uid)),
    ];
    court.see_of("nameless", 1, Owner { uid: 65_534, gid: 65_534 });
    for (number, step) in steps.into_iter().enumerate() {
        step(&mut court);
        for uid in ASKING {
            assert_eq!(known_to(&court, uid), found_for(&court, uid), "step {number}, user {uid}");
        }
    }
    assert!(known_to(&court, 7).is_empty() && known_to(&court, 65_534).is_empty());
    assert_eq!(known_to(&court, BOB.uid), [court.which("wiki").id]);
    assert!(court.emperor.snapshot().vassals.iter().all(|view| view.key != key("cart")));
}
