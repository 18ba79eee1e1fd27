use super::*;

const SECRET: &str = "HostName=h:8443;Authentication=ClientSecret;TenantId=t-1.example;\
                      ClientId=app;ClientSecret=canary=1";
const WORKLOAD: &str = "HostName=h;Authentication=workloadidentity;TenantId=t;ClientId=app;\
                        FederatedTokenFile=/var/run/token;AuthorityHost=https://login.test:1/";

fn problem(text: &str) -> ConnectionStringError {
    text.parse::<HubConnection>().unwrap_err()
}

fn entra(text: &str) -> EntraConnection {
    match text.parse().unwrap() {
        HubConnection::Entra(connection) => connection,
        HubConnection::Sas(_) => panic!("a connection of Entra ID"),
    }
}

#[test]
fn a_client_with_a_secret_is_read() {
    let connection = entra(SECRET);
    assert_eq!(connection.host, "h:8443");
    assert_eq!(connection.login.tenant, "t-1.example");
    assert_eq!(connection.login.client_id, "app");
    assert_eq!(connection.login.authority, PUBLIC_AUTHORITY);
    let secret = EntraCredential::ClientSecret(Secret::new("canary=1"));
    assert_eq!(connection.login.credential, secret);
}

#[test]
fn a_workload_is_read_and_its_authority_loses_the_slash() {
    let login = entra(WORKLOAD).login;
    assert_eq!(login.authority, "https://login.test:1");
    let token_file = PathBuf::from("/var/run/token");
    let credential = EntraCredential::WorkloadIdentity { token_file };
    assert_eq!(login.credential, credential);
}

#[test]
fn a_policy_is_still_a_policy() {
    let text = "HostName=h;SharedAccessKeyName=p;SharedAccessKey=YQ==";
    let connection: HubConnection = text.parse().unwrap();
    assert_eq!(connection.host(), "h");
    assert_eq!(
        connection,
        HubConnection::Sas(text.parse::<ConnectionString>().unwrap())
    );
}

#[test]
fn no_secret_is_shown() {
    assert!(!format!("{:?}", entra(SECRET)).contains("canary"));
    let mistake = SECRET.replace("ClientSecret=canary", "Canary=canary");
    let error = problem(&mistake);
    assert!(!format!("{error:?} {error}").contains("canary"));
}

#[test]
fn each_mistake_is_named() {
    use ConnectionStringError as E;
    let without = |part: &str| problem(&SECRET.replace(part, ""));
    assert_eq!(without("HostName=h:8443;"), E::Missing(HOST));
    assert_eq!(without("TenantId=t-1.example;"), E::Missing(TENANT));
    assert_eq!(without("ClientId=app;"), E::Missing(CLIENT));
    assert_eq!(without(";ClientSecret=canary=1"), E::Missing(CLIENT_SECRET));
    assert_eq!(problem(&SECRET.replace("h:8443", "h/x")), E::Host);
    assert_eq!(problem(&SECRET.replace("t-1", "t/1")), E::Tenant);
    let managed = SECRET.replace("=ClientSecret;", "=ManagedIdentity;");
    assert_eq!(problem(&managed), E::Authentication);
    let plain = WORKLOAD.replace("https://login", "http://login");
    assert_eq!(problem(&plain), E::Origin(AUTHORITY_HOST));
}

#[test]
fn the_parts_of_one_proof_do_not_belong_to_the_other() {
    use ConnectionStringError as E;
    let both = format!("{SECRET};FederatedTokenFile=/f");
    assert_eq!(problem(&both), E::UnknownPart(6));
    let key = format!("{SECRET};SharedAccessKey=YQ==");
    assert_eq!(problem(&key), E::UnknownPart(6));
    let without = WORKLOAD.replace("FederatedTokenFile=/var/run/token;", "");
    assert_eq!(problem(&without), E::Missing(TOKEN_FILE));
}

#[test]
fn the_management_plane_has_a_string_of_its_own() {
    let text = SECRET.replace("HostName=h:8443", "ResourceId=/subscriptions/s");
    let connection: ManagementConnection = text.parse().unwrap();
    assert_eq!(connection.resource_id, "/subscriptions/s");
    assert_eq!(connection.endpoint, PUBLIC_MANAGEMENT);
    let other = format!("{text};ManagementHost=https://127.0.0.1:8444");
    let connection: ManagementConnection = other.parse().unwrap();
    assert_eq!(connection.endpoint, "https://127.0.0.1:8444");
    assert!(SECRET.parse::<ManagementConnection>().is_err());
}

#[test]
fn origins_are_origins() {
    assert_eq!(origin("https://a.b/").as_deref(), Some("https://a.b"));
    for bad in ["https://a/b", "http://a", "a.b", "https://", "https://u@a"] {
        assert_eq!(origin(bad), None, "{bad}");
    }
}
