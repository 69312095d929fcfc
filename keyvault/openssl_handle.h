// Owners of OpenSSL's objects, and its words when it refuses.
#pragma once

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <string>

#include "base/handle.h"

namespace sealift::keyvault {

using CipherState = base::Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using DigestState = base::Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using Mac = base::Handle<EVP_MAC, EVP_MAC_free>;
using MacState = base::Handle<EVP_MAC_CTX, EVP_MAC_CTX_free>;
using KeyPair = base::Handle<EVP_PKEY, EVP_PKEY_free>;
using KeyOperation = base::Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Stream = base::Handle<BIO, BIO_free_all>;

/// The oldest message in this thread's OpenSSL queue; empties the queue, so that the
/// next failure cannot report this one.
std::string take_openssl_error();

/// For the calls that fail only when memory is out or OpenSSL is broken, and whose
/// callers have no error to return: a wrong digest must never leave, so this ends the
/// run by an exception, which main() reports as a defect.
void require(int outcome);

}  // namespace sealift::keyvault
