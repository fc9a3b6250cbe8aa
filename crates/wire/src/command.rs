//! The command table.

use crate::body;
use crate::table::commands;

commands! {
    "A command of the trusted core.";
    0x01 => Describe, Describe, Description<'a>, "What this trusted side is and can do.";
    0x02 => DeviceKey, DeviceKey, DeviceKeyAnswer, "The digest of the device's key under an anchor, made if there is none.";
    0x03 => BeginProvisioning, BeginProvisioning<'a>, Message<'a>, "Builds a provision request.";
    0x04 => FinishProvisioning, FinishProvisioning<'a>, ProvisioningFinished<'a>, "Verifies a provision answer and keeps the certificate.";
    0x05 => EraseIdentity, EraseIdentity, Empty, "Forgets key, certificate and time under an anchor.";

    0x10 => OpenSession, OpenSession<'a>, SessionOpened, "Opens a licence session towards one verified service.";
    0x11 => CloseSession, CloseSession, Empty, "Closes a session and erases its keys.";
    0x12 => BuildRequest, BuildRequest<'a>, Message<'a>, "Builds a sealed licence request.";
    0x13 => LoadAnswer, LoadAnswer<'a>, AnswerLoaded<'a>, "Opens a licence or denial that answers a request of this session.";
    0x14 => Statuses, Statuses, StatusReport<'a>, "The licences of a session and the status of each key.";
    0x15 => RemoveLicense, RemoveLicense, Empty, "Erases a licence and its keys.";
    0x16 => BuildTimeRequest, BuildTimeRequest<'a>, Message<'a>, "Builds a sealed time request.";
    0x17 => LoadTimeAnswer, LoadTimeAnswer<'a>, TimeLoaded<'a>, "Takes a time answer as an anchor of trusted time.";
    0x18 => LoadRevocationList, LoadRevocationList<'a>, Empty, "Takes a newer revocation list.";
    0x19 => ReportOutputs, ReportOutputs, Empty, "Takes the host's report of the outputs that are active.";

    0x20 => Decrypt, Decrypt<'a>, Decrypted, "Decrypts a batch of samples; media in, clear media out, of a protected session to protected memory alone.";

    0x21 => IssueTicket, IssueTicket, Ticket, "Issues a one-use ticket to a track of a protected session.";
    0x22 => RedeemTicket, RedeemTicket, ChannelOpened, "Of a decoder: redeems a ticket for a channel.";
    0x23 => DecryptUnit, DecryptUnit<'a>, UnitDecrypted, "Of a decoder: decrypts units; media in, clear media out into its memory.";
    0x24 => CloseChannel, CloseChannel, Empty, "Of a decoder: closes a channel.";

    0x25 => WipeBuffer, WipeBuffer, Empty, "Overwrites a protected buffer, the media output, with zeros.";
}

#[cfg(test)]
mod tests;
