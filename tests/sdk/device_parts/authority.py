"""A certificate authority for one test."""

import datetime
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from . import EAST, WEST

HOSTS = ["127.0.0.1", EAST, WEST]


def make(folder):
    """Writes `ca.pem` and returns the server's side of TLS for all hosts of the test."""
    key = ec.generate_private_key(ec.SECP256R1())
    authority = certificate("test authority", key.public_key(), key, "test authority", True)
    (folder / "ca.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    own = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate("hosts", own.public_key(), key, "test authority", False)
    pem = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(Encoding.PEM) + pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "leaf.pem")
    return tls


def certificate(name, public_key, signer, issuer, is_authority):
    called = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.IPAddress(ipaddress.ip_address(host)) for host in HOSTS]
    builder = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if not is_authority:
        hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), *names])
        builder = builder.add_extension(hosts, critical=False)
    return builder.sign(signer, hashes.SHA256())
