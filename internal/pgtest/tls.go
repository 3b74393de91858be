package pgtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certify gives the cluster in a folder a certificate, under the names by which
// postgres looks for one.
func certify(f *folder) error {
	certificate, key, err := selfSigned()
	if err != nil {
		return fmt.Errorf("pgtest: making a certificate: %w", err)
	}
	for name, text := range map[string][]byte{"server.crt": certificate, "server.key": key} {
		path := filepath.Join(f.path, clusterFolder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return fmt.Errorf("pgtest: %w", err)
		}
		if err := f.account.own(path); err != nil {
			return err
		}
	}
	return nil
}

// certificateLife is longer than any test, whatever the clocks do.
const certificateLife = 24 * time.Hour

// selfSigned returns a certificate for the host and its key, in PEM.
func selfSigned() (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: host},
		IPAddresses:  []net.IP{net.ParseIP(host)},
		NotBefore:    time.Now().Add(-certificateLife),
		NotAfter:     time.Now().Add(certificateLife),
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	bits, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bits}), nil
}
