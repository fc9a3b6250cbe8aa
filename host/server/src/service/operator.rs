//! Asking the operator's service, before anything is written.
//!
//! Done at the door, since a change of the store must never wait for a stranger's network. The same
//! request may be asked about more than once: when it comes twice at a time, and at each renewal.

use std::collections::BTreeSet;

use keybearer_license::{KeyId, LicenseKind, OpenedLicense, RequestKind};

use super::authorise::Asked;
use super::license::wanted_keys;
use super::{Service, served_level};
use crate::authorisation::callback::Question;
use crate::config::ContentSpec;
use crate::store::{StoreError, View};

impl Service {
    /// What the operator's service says about the contents asked for, if any of them needs its
    /// word and the device brought no token. One tenant is asked: that of the first such content,
    /// since a licence holds keys of one content.
    pub(super) fn ask_operator(
        &self,
        view: &View,
        opened: &OpenedLicense,
    ) -> Result<Option<Asked>, StoreError> {
        let (request, device) = (&opened.request, &opened.device.claims);
        let gets_none = request.wanted == LicenseKind::Stored
            || matches!(request.kind, RequestKind::Release(_));
        if request.token.is_some() || gets_none {
            return Ok(None);
        }
        let mut wanted = wanted_keys(request);
        if let (RequestKind::Renew(of), true) = (&request.kind, wanted.is_empty()) {
            let record = view.license(&of.license_id)?;
            let own = record.filter(|record| record.is_of(&device.ueid));
            wanted = own.map_or_else(Vec::new, |record| record.key_ids());
        }
        let mut asked: Option<(String, BTreeSet<String>)> = None;
        for kid in &wanted {
            let Some((content, tenant)) = self.needs_a_word(view, kid)? else {
                continue;
            };
            let (of, contents) = asked.get_or_insert_with(|| (tenant.clone(), BTreeSet::new()));
            if *of == tenant {
                contents.insert(content);
            }
        }
        let Some((tenant, contents)) = asked else {
            return Ok(None);
        };
        let spec = self.tenants.get(&tenant);
        let Some(spec) = spec.and_then(|tenant| tenant.callback.as_ref()) else {
            return Ok(None);
        };
        let question = Question {
            tenant: tenant.clone(),
            content_ids: contents.into_iter().collect(),
            device: device.serial.to_string(),
            device_model: device.model.as_str().to_owned(),
            level: served_level(device, &request.evidence).name(),
        };
        let rights = self.asker.ask(spec, &question);
        Ok(Some(Asked { tenant, rights }))
    }

    /// The content that a key belongs to and its tenant, where that tenant's service has to be
    /// asked.
    fn needs_a_word(
        &self,
        view: &View,
        kid: &KeyId,
    ) -> Result<Option<(String, String)>, StoreError> {
        let of = |content: &ContentSpec| {
            let listed = content.open || !(content.models.is_empty() && content.tenants.is_empty());
            let tenant = self.tenants.get(&content.tenant);
            let asks = !listed && tenant.is_some_and(|tenant| tenant.callback.is_some());
            asks.then(|| (content.id.clone(), content.tenant.clone()))
        };
        if let Some(content) = self.configured_with(kid) {
            return Ok(of(content));
        }
        let Some(key) = view.key(kid)? else {
            return Ok(None);
        };
        Ok(view.content(&key.content)?.as_ref().and_then(of))
    }
}
