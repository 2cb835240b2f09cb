//! Volumes with wrappings in two regions, and with one in the local keystore: any of them opens, and each change goes
//! to the right one.

use std::time::{Duration, Instant};

use atrest::keys::{Class, Envelope, ErrorClass, Expect, LocalKeystore, Providers, block_on, new_uuid};
use atrest_aws_kms::AwsKms;
use serde_json::{Value, json};

use crate::Own;
use crate::common::{header_of, noise};
use crate::fake::{Fake, Fault, HANG};
use crate::place::{Place, text};
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("each_of_two_regions_opens", each_of_two_regions_opens),
    ("changes_go_to_the_right_region", changes_go_to_the_right_region),
    ("a_region_that_hangs_gives_way_to_the_next", a_region_that_hangs_gives_way_to_the_next),
    ("a_key_moves_to_another_region", a_key_moves_to_another_region),
    ("an_alias_is_looked_up_where_its_arn_says", an_alias_is_looked_up_where_its_arn_says),
    ("a_local_slot_is_there_when_the_service_is_not", a_local_slot_is_there_when_the_service_is_not),
];

const AMERICA: &str = "us-east-1";
const EUROPE: &str = "eu-west-1";

/// Where which requests went since the last time.
fn asked(fake: &Fake) -> Vec<(String, String)> {
    fake.asked().into_iter().map(|asked| (asked.region, asked.operation)).collect()
}

fn requests(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(region, operation)| ((*region).to_owned(), (*operation).to_owned())).collect()
}

/// A volume `v` under a key in America, then one in Europe, and what is in it.
fn two_regions(place: &Place<'_>, fake: &Fake) -> (String, String, Vec<u8>) {
    let content = noise(20_000, 7);
    std::fs::write(place.path("in"), &content).unwrap();
    let keys = [AMERICA, EUROPE].map(|region| format!("aws:{}", place.server.key_in(region)));
    fake.asked();
    place.succeed(&["encrypt", "in", "v", "--key", &keys[0]]);
    let made = ["GenerateDataKeyWithoutPlaintext", "DescribeKey", "Decrypt"];
    assert_eq!(asked(fake), requests(&made.map(|operation| (AMERICA, operation))));
    place.succeed(&["slot", "add", "v", "--key", &keys[1]]);
    assert_eq!(
        asked(fake),
        requests(&[(AMERICA, "Decrypt"), (EUROPE, "DescribeKey"), (EUROPE, "Encrypt"), (EUROPE, "Decrypt"),])
    );
    let [america, europe] = keys;
    (america, europe, content)
}

fn slots(place: &Place<'_>) -> Vec<Value> {
    place.json(&["info", "v", "--json"])["envelope"]["slots"].as_array().unwrap().clone()
}

fn each_of_two_regions_opens() {
    let (server, fake) = Server::fake();
    let place = Place::new(&server);
    let (america, europe, content) = two_regions(&place, &fake);
    let opens = |expected: &[(&str, &str)]| {
        fake.asked();
        assert!(place.succeed(&["decrypt", "v", "-"]).stdout == content);
        assert_eq!(asked(&fake), requests(expected));
    };
    opens(&[(AMERICA, "Decrypt")]);
    place.succeed(&["key", "disable", &america]);
    opens(&[(AMERICA, "Decrypt"), (AMERICA, "DescribeKey"), (EUROPE, "Decrypt")]);
    place.succeed(&["key", "enable", &america]);
    place.succeed(&["key", "disable", &europe]);
    opens(&[(AMERICA, "Decrypt")]);
    // Where none opens, all are told.
    place.succeed(&["key", "delete", &america]);
    place.fails(&["decrypt", "v", "-"], &[&america[4..], "pending deletion", &europe[4..], "is disabled"]);
    place.succeed(&["key", "enable", &europe]);
    fake.state().down = vec![AMERICA];
    fake.asked();
    assert!(place.succeed(&["decrypt", "v", "-"]).stdout == content);
    let asked = asked(&fake);
    assert_eq!(asked.last(), requests(&[(EUROPE, "Decrypt")]).first());
    assert!(asked.iter().rev().skip(1).all(|(region, _)| region == AMERICA), "{asked:?}");
}

fn changes_go_to_the_right_region() {
    let (server, fake) = Server::fake();
    let place = Place::new(&server);
    let (america, _, content) = two_regions(&place, &fake);
    // Nothing can be had from America meanwhile.
    place.succeed(&["key", "disable", &america]);
    fake.asked();
    let before = slots(&place);
    // To authenticate the header, to rewrap, and to see the new wrapping open.
    let within = ["Decrypt", "DescribeKey", "ReEncrypt", "Decrypt"].map(|operation| (EUROPE, operation));
    place.fails(&["rewrap", "v"], &["--slot"]);
    place.succeed(&["rewrap", "v", "--slot", "1"]);
    assert_eq!(asked(&fake), requests(&within));
    let after = slots(&place);
    assert_eq!(after[0], before[0], "the other slot stays as it was");
    assert_eq!(after[1]["key"], before[1]["key"]);
    let header = header_of(&place.path("v"));
    place.fails(&["rewrap", "v", "--slot", "0"], &[&america[4..], "is disabled"]);
    assert!(header_of(&place.path("v")) == header);
    let new = server.key_in(EUROPE);
    fake.asked();
    place.succeed(&["rewrap", "v", "--slot", "1", "--key", &format!("aws:{new}")]);
    assert_eq!(asked(&fake), requests(&within));
    assert_eq!((&slots(&place)[0], &slots(&place)[1]["key"]), (&before[0], &Value::from(new.clone())));
    // Before a slot is taken away the header is authenticated, by whichever key opens.
    place.succeed(&["slot", "remove", "v", "0"]);
    assert_eq!(
        asked(&fake),
        requests(&[(AMERICA, "Decrypt"), (AMERICA, "DescribeKey"), (EUROPE, "Decrypt")])
    );
    assert_eq!(text(&place.succeed(&["slot", "list", "v"]).stdout), format!("0\taws:{new}\n"));
    assert!(place.succeed(&["decrypt", "v", "-"]).stdout == content);
    assert_eq!(asked(&fake), requests(&[(EUROPE, "Decrypt")]));
    place.fails(&["slot", "remove", "v", "0"], &["only slot"]);
}

fn a_region_that_hangs_gives_way_to_the_next() {
    let (server, fake) = Server::fake();
    let (america, europe) = (server.key_in(AMERICA), server.key_in(EUROPE));
    let mut options = server.options();
    options.attempt_timeout = Duration::from_millis(300);
    options.attempts = 1;
    let kms = AwsKms::new(options).unwrap();
    let providers = Providers::new().with(kms.clone());
    let (envelope, keys) =
        block_on(Envelope::create(&kms, &america, new_uuid().unwrap(), Class::Persistent)).unwrap();
    let both = block_on(envelope.add_slot("aws", &europe, &providers, &Expect::any())).unwrap().envelope;
    fake.fault("Decrypt", Fault::Hang, 1);
    fake.asked();
    let started = Instant::now();
    assert_eq!(block_on(both.open(&providers, &Expect::any())).unwrap().keys.xts_key(), keys.xts_key());
    assert!(started.elapsed() < HANG, "{:?}", started.elapsed());
    assert_eq!(asked(&fake), requests(&[(AMERICA, "Decrypt"), (EUROPE, "Decrypt")]));
    // With one slot there is nothing to give way to.
    fake.fault("Decrypt", Fault::Hang, 1);
    assert_eq!(
        block_on(envelope.open(&providers, &Expect::any())).unwrap_err().class(),
        Some(ErrorClass::TimedOut)
    );
}

/// ReEncrypt works within a region: between two the key passes through this process, and is looked at again before the
/// old wrapping is let go.
fn a_key_moves_to_another_region() {
    let (server, fake) = Server::fake();
    let (america, europe) = (server.key_in(AMERICA), server.key_in(EUROPE));
    let kms = server.provider();
    let providers = Providers::new().with(kms.clone());
    let (envelope, keys) =
        block_on(Envelope::create(&kms, &america, new_uuid().unwrap(), Class::Persistent)).unwrap();
    fake.asked();
    let moved = block_on(envelope.rewrap(0, "aws", &europe, &providers, &Expect::any())).unwrap();
    let expected = [(EUROPE, "DescribeKey"), (AMERICA, "Decrypt"), (EUROPE, "Encrypt"), (EUROPE, "Decrypt")];
    assert_eq!(asked(&fake), requests(&expected));
    assert_eq!(moved.keys.unwrap().xts_key(), keys.xts_key());
    fake.state().down = vec![AMERICA];
    assert_eq!(
        block_on(moved.envelope.open(&providers, &Expect::any())).unwrap().keys.xts_key(),
        keys.xts_key()
    );
}

fn an_alias_is_looked_up_where_its_arn_says() {
    let (server, fake) = Server::fake();
    let keys = [AMERICA, EUROPE].map(|region| {
        let arn = server.key_in(region);
        let id = arn.rsplit('/').next().unwrap();
        server.call_in(region, "CreateAlias", &json!({ "AliasName": "alias/prod", "TargetKeyId": id }));
        arn
    });
    let place = Place::new(&server);
    let alias = "aws:arn:aws:kms:us-east-1:111122223333:alias/prod";
    for (name, region, key) in [(alias, AMERICA, &keys[0]), ("aws:alias/prod", EUROPE, &keys[1])] {
        fake.asked();
        place.succeed(&["create", "v", "--size", "1M", "--key", name]);
        assert!(fake.asked().iter().all(|asked| asked.region == region));
        assert_eq!(slots(&place)[0]["key"], *key.as_str());
        std::fs::remove_file(place.path("v")).unwrap();
    }
}

fn a_local_slot_is_there_when_the_service_is_not() {
    let (server, fake) = Server::fake();
    let place = Place::new(&server);
    let content = noise(20_000, 8);
    std::fs::write(place.path("in"), &content).unwrap();
    let key = format!("aws:{}", server.key());
    place.succeed(&["encrypt", "in", "v", "--key", &key]);
    place.succeed(&["key", "create", "local:recovery"]);
    place.succeed(&["slot", "add", "v", "--key", "local:recovery"]);
    let opens = || assert!(place.succeed(&["decrypt", "v", "-"]).stdout == content);
    fake.asked();
    opens();
    assert_eq!(fake.calls(), ["Decrypt"]);
    place.succeed(&["key", "delete", &key]);
    opens();
    fake.state().down = vec![EUROPE];
    opens();
    // Back under the service, once it is there again; the local slot is left alone.
    let before = slots(&place);
    fake.state().down.clear();
    let new = format!("aws:{}", server.key());
    let header = header_of(&place.path("v"));
    place.fails(&["rewrap", "v", "--slot", "0", "--key", &new], &["pending deletion"]);
    assert!(header_of(&place.path("v")) == header);
    place.succeed(&["slot", "add", "v", "--key", &new]);
    place.succeed(&["slot", "remove", "v", "0"]);
    assert_eq!(slots(&place)[0], before[1]);
    // And with the keystore gone the service alone opens it.
    std::fs::rename(place.path("home"), place.path("elsewhere")).unwrap();
    opens();
    std::fs::rename(place.path("elsewhere"), place.path("home")).unwrap();
    let keystore = LocalKeystore::open(place.path("home")).unwrap();
    assert_eq!(keystore.list().unwrap(), ["recovery"]);
}
