use super::{provider_directory::form_sources, *};
use crate::flow::ReturnTarget;

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A site at `origin`, for whoever needs one.
pub(crate) fn site_at(origin: &str) -> Site {
    let mut environment = Environment::default();
    environment.set("PUBLIC_ORIGIN", origin);
    environment.set("SETTINGS_URL", format!("{origin}/user?tab=sso"));
    environment.set("SIGN_IN_URL", format!("{origin}/sign-in"));
    environment.set("ONBOARDING_URL", format!("{origin}/welcome"));
    Site::read(&mut Reader::new(&environment)).unwrap()
}

fn site(variables: &[(&str, &str)]) -> Result<Site, ConfigError> {
    let environment = environment(variables);
    let mut reader = Reader::new(&environment);
    let site = Site::read(&mut reader);
    reader.finish(site)
}

#[test]
fn every_mistake_is_reported_at_once_and_by_name() {
    let environment = environment(&[
        ("PUBLIC_ORIGIN", "https://accounts.example/"),
        ("SETTINGS_URL", "/user"),
        ("ONBOARDING_URL", "https://accounts.example/#top"),
        ("CONFIRM_LINK", "sometimes"),
        ("REAUTHENTICATE_AFTER_SECONDS", "0"),
        ("PROVIDER_TIMEOUT_MS", "3s"),
        ("LINKING_REQUIRED_FROM", "tomorrow"),
        ("FLOW_KEYS", "secret"),
        ("FLOW_KEYS_ARN", "arn"),
        ("PROVIDERS", "{}"),
        ("SIGN_IN_COMPLETE_URL", "/sign-in/complete"),
    ]);
    let mut reader = Reader::new(&environment);
    let site = Site::read(&mut reader);
    let _ = read_sign_in_complete(&mut reader);
    let _ = FlowKeysSource::read(&mut reader, site.as_ref());
    let _ = ProviderDirectory::read(&mut reader);
    let _ = (ConfirmLink::read(&mut reader), read_reauthenticate_after(&mut reader));
    let _ = (read_provider_timeout(&mut reader), read_linking_required(&mut reader));
    let ConfigError(mistakes) = reader.finish(site).unwrap_err();
    let names: Vec<&str> = mistakes
        .iter()
        .filter_map(|mistake| mistake.split(' ').next())
        .collect();
    assert_eq!(
        names,
        [
            "PUBLIC_ORIGIN",
            "SETTINGS_URL",
            "SIGN_IN_URL",
            "ONBOARDING_URL",
            "SIGN_IN_COMPLETE_URL",
            "FLOW_KEYS",
            "PROVIDERS",
            "CONFIRM_LINK",
            "REAUTHENTICATE_AFTER_SECONDS",
            "PROVIDER_TIMEOUT_MS",
            "LINKING_REQUIRED_FROM"
        ]
    );
    assert!(!mistakes.concat().contains("secret"));
}

#[test]
fn http_is_for_localhost_only() {
    let at = |origin: &str, page: &str| {
        site(&[("PUBLIC_ORIGIN", origin), ("SETTINGS_URL", page), ("SIGN_IN_URL", page)]).map(|site| site.locality)
    };
    assert_eq!(
        at("https://a.example", "https://a.example/user"),
        Ok(Locality::Deployed)
    );
    assert_eq!(
        at("http://a.localhost:8080", "http://a.localhost:8080/user"),
        Ok(Locality::Local)
    );
    assert_eq!(at("https://localhost", "https://localhost/user"), Ok(Locality::Local));
    assert!(at("http://a.example", "https://a.example/user").is_err());
    assert!(at("https://a.example", "http://a.example/user").is_err());
    assert!(at("https://a.example", "http://a.localhost/user").is_err());
    assert!(at("http://a.localhost", "http://a.example/user").is_err());
    assert!(at("http://localhost.example", "http://localhost.example/user").is_err());
    assert!(at("http://notlocalhost", "http://notlocalhost/user").is_err());
}

#[test]
fn a_page_is_one_that_a_header_can_redirect_to() {
    for text in [
        "/user",
        "https://u@a.example/user",
        "https://a.example/user#sso",
        "https://a.example/réglages",
        "https://a.example/user?tab=sécurité",
    ] {
        assert_eq!(PageUrl::parse(text, Locality::Deployed), None, "{text}");
    }
    let page = PageUrl::parse("https://a.example/r%C3%A9glages?tab=sso", Locality::Deployed).unwrap();
    assert!(http::HeaderValue::from_str(&page.with(&[("sso", "é\n")])).is_ok());
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    for text in [
        "https://a.example/",
        "https://a.example:443",
        "https://A.example",
        "https://u@a.example",
        "https://a.example/x",
        "https://a.example?x",
        "a.example",
        "//a.example",
        "ftp://a.example",
        "null",
    ] {
        assert_eq!(parse_origin(text), None, "{text}");
    }
    assert!(parse_origin("https://a.example:8443").is_some());
}

#[test]
fn a_page_takes_more_parameters_whatever_it_has() {
    let page = |text: &str| PageUrl::parse(text, Locality::Deployed).unwrap();
    let parameters = [("sso", "linked"), ("provider", "a b&c")];
    assert_eq!(
        page("https://a.example/user").with(&parameters),
        "https://a.example/user?sso=linked&provider=a+b%26c"
    );
    assert_eq!(
        page("https://a.example/?p=1").with(&parameters),
        "https://a.example/?p=1&sso=linked&provider=a+b%26c"
    );
}

#[test]
fn an_unconfigured_onboarding_page_falls_back_to_the_settings_page() {
    let page = ("SETTINGS_URL", "https://a.example/user");
    let site = site(&[
        ("PUBLIC_ORIGIN", "https://a.example"),
        page,
        ("SIGN_IN_URL", "https://a.example/in"),
    ])
    .unwrap();
    assert_eq!(site.page(ReturnTarget::Onboarding), &site.settings);
}

#[test]
fn flow_keys_in_the_environment_are_for_local_configurations_only() {
    let keys = ("FLOW_KEYS", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let read = |origin: &str| {
        let page = format!("{origin}/user");
        let environment = environment(&[
            ("PUBLIC_ORIGIN", origin),
            ("SETTINGS_URL", &page),
            ("SIGN_IN_URL", &page),
            keys,
        ]);
        let mut reader = Reader::new(&environment);
        let site = Site::read(&mut reader);
        let keys = FlowKeysSource::read(&mut reader, site.as_ref());
        reader.finish(keys).is_ok()
    };
    assert!(read("http://a.localhost"));
    assert!(!read("https://a.example"));

    let page = "https://a.example/user";
    let never_sealing = site(&[
        ("PUBLIC_ORIGIN", "https://a.example"),
        ("SETTINGS_URL", page),
        ("SIGN_IN_URL", page),
        keys,
    ]);
    let mistake = "FLOW_KEYS is for local configurations only; use FLOW_KEYS_ARN";
    assert_eq!(never_sealing.unwrap_err().0, [mistake]);
}

#[test]
fn what_is_wrong_with_the_keys_is_told_beside_what_is_wrong_with_the_site() {
    let environment = environment(&[("PUBLIC_ORIGIN", "nowhere"), ("FLOW_KEYS", "secret")]);
    let mut reader = Reader::new(&environment);
    assert!(FlowKeysSource::read(&mut reader, None).is_none());
    let ConfigError(mistakes) = reader.finish(None::<Site>).unwrap_err();
    assert!(mistakes[0].starts_with("FLOW_KEYS is unusable: "), "{mistakes:?}");
}

#[test]
fn http_and_credentials_in_providers_are_for_local_configurations_only() {
    let is_refused = |origin, issuer: &str, more: &str| {
        let entry = format!(r#"[{{"id":"magento","name":"Magento.com","issuer":"{issuer}","client_id":"c"{more}}}]"#);
        let environment = environment(&[("PUBLIC_ORIGIN", origin), ("PROVIDERS", &entry)]);
        let mut reader = Reader::new(&environment);
        let directory = ProviderDirectory::read(&mut reader);
        reader.finish(directory).is_err()
    };
    let (local, deployed) = ("http://accounts.localhost", "https://accounts.example");
    assert!(!is_refused(
        deployed,
        "https://id.example",
        r#","client_secret_arn":"arn""#
    ));
    for (issuer, more) in [
        ("https://id.example", r#","client_secret":"secret""#),
        ("https://id.example", r#","client_key":{}"#),
        ("http://magento.localhost", ""),
    ] {
        assert!(is_refused(deployed, issuer, more), "{issuer} {more}");
        assert!(!is_refused(local, issuer, more), "{issuer} {more}");
    }
}

#[test]
fn a_provider_is_found_by_its_exact_id() {
    let environment = environment(&[(
        "PROVIDERS",
        r#"[{"id":"magento","name":"Magento.com","issuer":"https://id.magento.example/x","client_id":"c"}]"#,
    )]);
    let mut reader = Reader::new(&environment);
    let directory = ProviderDirectory::read(&mut reader).unwrap();
    assert!(directory.find("magento").is_some());
    assert_eq!(directory.find("Magento"), None);
}

#[test]
fn a_form_may_lead_wherever_the_provider_may_be() {
    let of_issuer = ["https://id.magento.example:*", "https://*.id.magento.example:*"];
    assert_eq!(form_sources("https://id.magento.example/x", None).unwrap(), of_issuer);
    let fixed = form_sources(
        "https://id.magento.example/x",
        Some("https://login.example:8443/authorize"),
    );
    assert_eq!(
        fixed.unwrap(),
        [&of_issuer[..], &["https://login.example:8443"]].concat()
    );
}
