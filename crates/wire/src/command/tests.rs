use alloc::{format, string::String};

use super::*;

/// Pins every number: the host and a trusted side of another build must agree on them.
#[test]
fn numbers_are_pinned() {
    let mut table = String::new();
    for command in Command::ALL {
        table += &format!("{:#04x} {}\n", command.code(), command.name());
    }
    assert_eq!(
        table,
        "0x01 Describe\n0x02 DeviceKey\n0x03 BeginProvisioning\n0x04 FinishProvisioning\n\
         0x05 EraseIdentity\n0x10 OpenSession\n0x11 CloseSession\n0x12 BuildRequest\n\
         0x13 LoadAnswer\n0x14 Statuses\n0x15 RemoveLicense\n0x16 BuildTimeRequest\n\
         0x17 LoadTimeAnswer\n0x18 LoadRevocationList\n0x19 ReportOutputs\n0x20 Decrypt\n0x21 IssueTicket\n\
         0x22 RedeemTicket\n0x23 DecryptUnit\n0x24 CloseChannel\n0x25 WipeBuffer\n"
    );
}

#[test]
fn codes_round_trip_and_unknown_ones_are_refused() {
    for command in Command::ALL {
        assert_eq!(Command::from_code(command.code()), Some(*command));
    }
    for unknown in [0, 0x06, 0x0f, 0x1a, 0x1f, 0x26, 0x40, 0x0101, u32::MAX] {
        assert_eq!(Command::from_code(unknown), None, "{unknown:#x}");
    }
}

#[test]
fn requests_carry_their_own_command() {
    assert_eq!(<body::Describe as Exchange<'_>>::COMMAND, Command::Describe);
    assert_eq!(
        <body::Decrypt<'_> as Exchange<'_>>::COMMAND,
        Command::Decrypt
    );
    assert_eq!(
        <body::LoadTimeAnswer<'_> as Exchange<'_>>::COMMAND,
        Command::LoadTimeAnswer
    );
}
