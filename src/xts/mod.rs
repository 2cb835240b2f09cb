//! XTS-AES (IEEE Std 1619): keys, tweaks, data units and batches of sectors.
