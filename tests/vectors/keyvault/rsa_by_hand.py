"""RSA-OAEP, RSA-PSS and AES-KWP from their standards, in plain Python: a second implementation, with the random parts
passed in so that its output can be pinned. Slow, not constant-time, for test vectors only."""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def mgf1(seed, size, digest):
    """RFC 8017, B.2.1."""
    out = b""
    counter = 0
    while len(out) < size:
        out += hashlib.new(digest, seed + counter.to_bytes(4, "big")).digest()
        counter += 1
    return out[:size]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def oaep_encrypt(numbers, message, digest, seed, label=b"", mgf_digest=None):
    """RFC 8017, 7.1.1. `numbers` are the public numbers of the key, `seed` is as long as the digest."""
    mgf_digest = mgf_digest or digest
    size = (numbers.n.bit_length() + 7) // 8
    label_digest = hashlib.new(digest, label).digest()
    padding = b"\0" * (size - len(message) - 2 * len(label_digest) - 2)
    block = label_digest + padding + b"\1" + message
    masked_block = xor(block, mgf1(seed, len(block), mgf_digest))
    masked_seed = xor(seed, mgf1(masked_block, len(seed), mgf_digest))
    padded = b"\0" + masked_seed + masked_block
    return pow(int.from_bytes(padded, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def pss_sign(numbers, message, salt, digest="sha256"):
    """RFC 8017, 8.1.1. `numbers` are the private numbers of the key."""
    modulus = numbers.public_numbers.n
    bits = modulus.bit_length() - 1
    size = (bits + 7) // 8
    digest_size = hashlib.new(digest).digest_size
    hashed = hashlib.new(digest, message).digest()
    trailer = hashlib.new(digest, b"\0" * 8 + hashed + salt).digest()
    block = b"\0" * (size - len(salt) - digest_size - 2) + b"\1" + salt
    masked = bytearray(xor(block, mgf1(trailer, len(block), digest)))
    masked[0] &= 0xFF >> (8 * size - bits)
    padded = bytes(masked) + trailer + b"\xbc"
    signature = pow(int.from_bytes(padded, "big"), numbers.d, modulus)
    return signature.to_bytes((modulus.bit_length() + 7) // 8, "big")


def aes_block(key, block, decrypt=False):
    cipher = Cipher(algorithms.AES(key), modes.ECB())
    return (cipher.decryptor() if decrypt else cipher.encryptor()).update(block)


def kwp(key, target, constant=b"\xa6\x59\x59\xa6", size_field=None, padding=b"\0"):
    """RFC 5649, 4.1. The last three arguments make wrong ones."""
    size = len(target) if size_field is None else size_field
    check = constant + size.to_bytes(4, "big")
    padded = target + padding * (-len(target) % 8)
    if len(padded) == 8:
        return aes_block(key, check + padded)
    blocks = [padded[i:i + 8] for i in range(0, len(padded), 8)]
    for round_number in range(6):
        for i, block in enumerate(blocks):
            mixed = aes_block(key, check + block)
            step = len(blocks) * round_number + i + 1
            check = xor(mixed[:8], step.to_bytes(8, "big"))
            blocks[i] = mixed[8:]
    return check + b"".join(blocks)


def hkdf(key, salt, info, size=32):
    """RFC 5869."""
    extracted = hmac.digest(salt or b"\0" * 32, key, "sha256")
    out = block = b""
    counter = 1
    while len(out) < size:
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        out += block
        counter += 1
    return out[:size]
