#Requires -Version 5.1
# What Export-SealiftVM.ps1 and Import-SealiftVM.ps1 share: how a failure reads, JSON on disk, wrapping
# keys, the key vault of MOC, and who runs where in the cluster.
#
# This file is ASCII: Windows PowerShell 5.1 reads a script without a byte order mark in the code page of
# the host. Nothing here is newer than 5.1 either.
#
# The names and parameters of the MOC commands are those of TvmBackupUtils.psm1
# (Azure-Samples/AzureLocal, trusted-launch-vms/) and of the how-to "Manual backup and recovery of guest
# state protection key" (MicrosoftDocs/azure-stack-docs, azure-local/manage/trusted-launch-vm-import-key.md):
#   Get-MocKey          -group -keyvaultName
#   Export-MocKey       -name -wrappingPubKeyFile -outFile -size -group -keyvaultName
#   Import-MocKey       -name -wrappingKeyName -importKeyFile -type -size -group -keyvaultName
#   New-MocKey          -name -type -size -group -keyvaultName
#   Get-MocKeyPublicKey -name -outputFile -group -keyvaultName
#   Remove-MocKey       -name -group -keyvaultName
#   Get-MocConfig       its moduleVersion

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$script:MocGroup = 'AzureStackHostAttestation'
$script:MocVault = 'AzureStackTvmKeyVault'
$script:AttestationKey = 'AzureStackTvmAKRootKey'
$script:OldestMocModule = [System.Version] '1.2.27'

# --- how a failure reads -------------------------------------------------------------------------------

function Format-SealiftFailure {
    param(
        [Parameter(Mandatory = $true)] [string] $What,
        [string] $Where,
        [string] $Cause,
        [string] $Next
    )
    $lines = @($What)
    if ($Where) { $lines += "where: $Where" }
    if ($Cause) { $lines += "cause: $Cause" }
    if ($Next) { $lines += "next:  $Next" }
    $lines -join [System.Environment]::NewLine
}

function Write-SealiftFailure {
    # Goes to the error stream and does not end the caller: one VM's failure must not stop the others.
    param(
        [Parameter(Mandatory = $true)] [string] $What,
        [string] $Where,
        [string] $Cause,
        [string] $Next
    )
    $text = Format-SealiftFailure -What $What -Where $Where -Cause $Cause -Next $Next
    Write-Error -Message $text -ErrorAction Continue
}

# --- small values --------------------------------------------------------------------------------------

function Get-SealiftUtcTime {
    param([string] $Format = "yyyy-MM-dd'T'HH:mm:ss'Z'")
    # Without the invariant culture ':' becomes whatever the host's language separates hours with.
    [datetime]::UtcNow.ToString($Format, [System.Globalization.CultureInfo]::InvariantCulture)
}

function ConvertTo-SealiftId {
    param([Parameter(Mandatory = $true)] [object] $Id)
    ([System.Guid] "$Id").ToString('D').ToLowerInvariant()
}

function Get-SealiftValue {
    # A member of an object read from JSON that need not be there: strict mode ends at a missing one.
    param([object] $From, [Parameter(Mandatory = $true)] [string] $Name, [object] $Default = $null)
    if ($null -eq $From) { return $Default }
    $property = $From.PSObject.Properties[$Name]
    if ($null -eq $property -or $null -eq $property.Value) { return $Default }
    $property.Value
}

function Resolve-SealiftPath {
    # The .NET calls below know nothing of PowerShell's current folder; the path need not exist.
    param([Parameter(Mandatory = $true)] [string] $Path)
    $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}

# --- JSON on disk --------------------------------------------------------------------------------------

function Write-SealiftJson {
    # UTF-8 without a byte order mark, under a temporary name until it is whole. An existing file is kept
    # and the call fails.
    param([Parameter(Mandatory = $true)] [string] $Path, [Parameter(Mandatory = $true)] [object] $Value)
    $text = ConvertTo-Json -InputObject $Value -Depth 8 -Compress
    $bytes = (New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false).GetBytes($text + "`n")
    $unfinished = "$Path.part"
    $stream = [System.IO.FileStream]::new($unfinished, [System.IO.FileMode]::Create, [System.IO.FileAccess]::Write)
    try {
        $stream.Write($bytes, 0, $bytes.Length)
        $stream.Flush($true)
    }
    finally { $stream.Dispose() }
    [System.IO.File]::Move($unfinished, $Path)
}

function Read-SealiftJson {
    # Ends with an error unless the file is JSON of a format that is known here.
    param([Parameter(Mandatory = $true)] [string] $Path, [int[]] $Known = @(1))
    try { $value = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($Path)) }
    catch {
        throw (Format-SealiftFailure -What 'a file is not the JSON that Sealift writes' -Where $Path `
                -Cause $_.Exception.Message -Next 'copy the folder again from where it was written')
    }
    $format = Get-SealiftValue -From $value -Name 'format'
    if (@($Known | ForEach-Object { "$_" }) -notcontains "$format") {
        throw (Format-SealiftFailure -What "a file has format ""$format"", and only format $($Known -join ' and ') is known here" `
                -Where $Path -Next 'use the scripts of the version of Sealift that wrote it')
    }
    $value
}

# --- wrapping keys -------------------------------------------------------------------------------------

function Read-DerItem {
    param([byte[]] $Der, [int] $At, [int] $Tag)
    if ($Der[$At] -ne $Tag) { throw 'unexpected tag' }
    $length = [int] $Der[$At + 1]
    $start = $At + 2
    if ($length -ge 0x80) {
        $octets = $length - 0x80
        if ($octets -lt 1 -or $octets -gt 2) { throw 'unexpected length' }
        $length = 0
        for ($i = 0; $i -lt $octets; $i++) { $length = $length * 256 + [int] $Der[$start + $i] }
        $start += $octets
    }
    if ($length -lt 1 -or $start + $length -gt $Der.Length) { throw 'unexpected length' }
    [pscustomobject] @{ Start = $start; End = $start + $length }
}

function Get-RsaModulusBits {
    # RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }, RFC 8017 A.1.1. What the
    # label "RSA PUBLIC KEY" promises and does not hold (an SPKI under a wrong label) ends here too.
    param([byte[]] $Der)
    $sequence = Read-DerItem -Der $Der -At 0 -Tag 0x30
    $modulus = Read-DerItem -Der $Der -At $sequence.Start -Tag 0x02
    $exponent = Read-DerItem -Der $Der -At $modulus.End -Tag 0x02
    if ($sequence.End -ne $Der.Length -or $exponent.End -ne $sequence.End) { throw 'unexpected length' }
    $first = $modulus.Start
    if ($Der[$first] -eq 0) { $first++ }
    $bits = ($modulus.End - $first) * 8
    for ($bit = 0x80; $bit -gt 0 -and ($Der[$first] -band $bit) -eq 0; $bit = $bit -shr 1) { $bits-- }
    $bits
}

function Read-SealiftWrappingKey {
    # The public half of a recovery key, checked before MOC sees it: MOC's own tools take whatever lies
    # between the dashes, and a wrong form is noticed only on the day of the restore.
    param([Parameter(Mandatory = $true)] [string] $Path)
    $next = 'name KEY.moc.pem of "sealift keyvault new-recovery-key --bits 2048", copied byte for byte'
    $full = Resolve-SealiftPath -Path $Path
    if (-not [System.IO.File]::Exists($full)) {
        throw (Format-SealiftFailure -What 'the wrapping key is not there' -Where $full -Next $next)
    }
    $bytes = [System.IO.File]::ReadAllBytes($full)
    if ($bytes.Length -lt 16 -or $bytes.Length -gt 65536) {
        throw (Format-SealiftFailure -What 'the wrapping key is not a PEM file' -Where $full -Next $next)
    }
    $hasMark = ($bytes[0] -eq 0xFF -and $bytes[1] -eq 0xFE) -or ($bytes[0] -eq 0xFE -and $bytes[1] -eq 0xFF) -or
        ($bytes[0] -eq 0xEF -and $bytes[1] -eq 0xBB -and $bytes[2] -eq 0xBF)
    if ($hasMark) {
        throw (Format-SealiftFailure -What 'the wrapping key was saved as UTF-16 or with a byte order mark' `
                -Where $full -Cause 'Out-File of Windows PowerShell does that' -Next $next)
    }
    $text = [System.Text.Encoding]::ASCII.GetString($bytes)
    if ($text -cmatch 'PRIVATE KEY-----') {
        throw (Format-SealiftFailure -What 'this file holds a private key, which must never be on this host' `
                -Where $full -Next 'delete the file here, make a new recovery key if others could read it, and name its KEY.moc.pem')
    }
    if ($text -cmatch '-----BEGIN PUBLIC KEY-----') {
        throw (Format-SealiftFailure -What 'the wrapping key is in SPKI form ("BEGIN PUBLIC KEY"), and MOC wants PKCS#1 ("BEGIN RSA PUBLIC KEY")' `
                -Where $full -Next 'name KEY.moc.pem instead of KEY.pub.pem; or: openssl rsa -pubin -in KEY.pub.pem -RSAPublicKey_out -out KEY.moc.pem')
    }
    $pem = [regex] '-----BEGIN RSA PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END RSA PUBLIC KEY-----'
    $found = $pem.Matches($text)
    if ($found.Count -ne 1) {
        throw (Format-SealiftFailure -What 'the wrapping key is not one PKCS#1 public key ("BEGIN RSA PUBLIC KEY")' `
                -Where $full -Next $next)
    }
    try {
        $der = [System.Convert]::FromBase64String(($found[0].Groups[1].Value -replace '\s', ''))
        $bits = Get-RsaModulusBits -Der $der
    }
    catch {
        throw (Format-SealiftFailure -What 'the wrapping key says PKCS#1 and is no RSA public key' -Where $full `
                -Cause $_.Exception.Message -Next $next)
    }
    [pscustomobject] @{ Path = $full; Bits = $bits }
}

# --- the key vault -------------------------------------------------------------------------------------

function Invoke-Moc {
    # MOC's functions may report an error without ending: one that is only printed would be lost here, so
    # the error stream is read and the first record ends the call.
    param([Parameter(Mandatory = $true)] [string] $Command, [hashtable] $Parameters = @{})
    $all = @{ group = $script:MocGroup; keyvaultName = $script:MocVault } + $Parameters
    $output = @(& $Command @all 2>&1)
    $problems = @($output | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] })
    if ($problems.Count -gt 0) {
        throw (@($problems | ForEach-Object { $_.Exception.Message }) -join '; ')
    }
    $output
}

function Assert-SealiftMoc {
    if ($null -eq (Get-Command -Name 'Get-MocKey' -ErrorAction SilentlyContinue)) {
        throw (Format-SealiftFailure -What 'the MOC commands are not here, so no protection key can be read' `
                -Where ([System.Environment]::MachineName) -Next 'run this on a node of the Azure Local system, as its administrator')
    }
    try { $version = [System.Version] "$((Get-MocConfig).moduleVersion)" }
    catch {
        throw (Format-SealiftFailure -What 'MOC does not say its version' -Where ([System.Environment]::MachineName) `
                -Cause $_.Exception.Message -Next 'run Get-MocConfig by hand on this node')
    }
    if ($version -lt $script:OldestMocModule) {
        throw (Format-SealiftFailure -What "MOC PowerShell $version is too old: $script:OldestMocModule is needed" `
                -Where ([System.Environment]::MachineName) -Next 'update the Azure Local system to release 2505 or later')
    }
}

function Get-SealiftVaultKey {
    foreach ($key in @(Invoke-Moc -Command 'Get-MocKey')) {
        if ($null -eq $key) { continue }
        # kty and key_size: as TvmBackupUtils.psm1 reads them.
        [pscustomobject] @{
            Name = [string] $key.Name
            Type = [string] $key.properties.kty
            Size = [int] $key.properties.key_size
        }
    }
}

function Find-SealiftVaultKey {
    # Nothing, when there is none of that name.
    param([object[]] $Keys, [Parameter(Mandatory = $true)] [string] $Name)
    foreach ($key in @($Keys)) {
        if ($null -ne $key -and $key.Name -eq $Name) { return $key }
    }
}

function Get-SealiftAttestationKeyName { $script:AttestationKey }

function Format-SealiftRemoveKey {
    # The command as a person pastes it; these scripts never remove a key that they did not make.
    param([Parameter(Mandatory = $true)] [string] $Name)
    "Remove-MocKey -name '$Name' -group $script:MocGroup -keyvaultName $script:MocVault"
}

function Assert-SealiftWrappedKey {
    # What can be said of an exported key without any private key. Whether it is wrapped to a recovery
    # key that the repository knows is checked by Sealift, which has them all.
    param([Parameter(Mandatory = $true)] [string] $Path)
    if (-not [System.IO.File]::Exists($Path)) { throw "Export-MocKey reported no error and wrote no file: $Path" }
    try { $json = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($Path)) }
    catch { throw "Export-MocKey wrote a file that is not JSON: $Path" }
    $wrapping = Get-SealiftValue -From $json -Name 'private-key-wrapping-info'
    $algorithm = [string] (Get-SealiftValue -From $wrapping -Name 'enc' -Default '')
    $material = [string] (Get-SealiftValue -From $json -Name 'private-key' -Default '')
    if (-not $material) { $material = [string] (Get-SealiftValue -From $json -Name 'public-key' -Default '') }
    if ($algorithm -eq 'NO_KEY_WRAP') {
        [System.IO.File]::Delete($Path)
        throw "Export-MocKey wrote the key in clear (NO_KEY_WRAP); the file was deleted again: $Path"
    }
    if (-not $algorithm -or -not $material) { throw "Export-MocKey wrote a file without a wrapped key: $Path" }
}

function Export-SealiftKey {
    param(
        [Parameter(Mandatory = $true)] [object] $Key,
        [Parameter(Mandatory = $true)] [string] $WrappingKeyPath,
        [Parameter(Mandatory = $true)] [string] $Path
    )
    # The public half comes from a file, so nothing has to be put into the vault for an export.
    $null = Invoke-Moc -Command 'Export-MocKey' -Parameters @{
        name = $Key.Name; size = $Key.Size; wrappingPubKeyFile = $WrappingKeyPath; outFile = $Path
    }
    Assert-SealiftWrappedKey -Path $Path
}

function Import-SealiftKey {
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [string] $Type,
        [Parameter(Mandatory = $true)] [int] $Size,
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [string] $WrappingKeyName
    )
    try {
        $null = Invoke-Moc -Command 'Import-MocKey' -Parameters @{
            name = $Name; type = $Type; size = $Size; importKeyFile = $Path; wrappingKeyName = $WrappingKeyName
        }
    }
    catch {
        if ($_.Exception.Message -notmatch 'InvalidVersion') { throw }
        # Microsoft's page says to ignore this. It must not be: a key of this name that the system made by
        # itself, because the VM was started too early, is another key, and the VM never opens with it.
        throw (Format-SealiftFailure -What "a key named $Name is in the vault already, and it was not replaced" `
                -Where "vault $script:MocVault" -Cause $_.Exception.Message `
                -Next "if that key is not needed: $(Format-SealiftRemoveKey -Name $Name); then run this again, before the VM is started")
    }
}

function Remove-SealiftKey {
    param([Parameter(Mandatory = $true)] [string] $Name)
    $null = Invoke-Moc -Command 'Remove-MocKey' -Parameters @{ name = $Name }
}

function New-SealiftWrappingKey {
    param([Parameter(Mandatory = $true)] [string] $Name)
    # 2048 is the only size that Microsoft documents for a wrapping key.
    $null = Invoke-Moc -Command 'New-MocKey' -Parameters @{ name = $Name; type = 'RSA'; size = 2048 }
}

function Save-SealiftPublicKey {
    param([Parameter(Mandatory = $true)] [string] $Name, [Parameter(Mandatory = $true)] [string] $Path)
    $null = Invoke-Moc -Command 'Get-MocKeyPublicKey' -Parameters @{ name = $Name; outputFile = $Path }
    if (-not [System.IO.File]::Exists($Path)) { throw "Get-MocKeyPublicKey reported no error and wrote no file: $Path" }
    $text = [System.IO.File]::ReadAllText($Path)
    if ($text -cmatch 'PRIVATE KEY-----') {
        [System.IO.File]::Delete($Path)
        throw "Get-MocKeyPublicKey wrote a private key; the file was deleted again: $Path"
    }
    if ($text -cnotmatch '-----BEGIN (RSA )?PUBLIC KEY-----') { throw "Get-MocKeyPublicKey wrote a file that is no public key: $Path" }
}

# --- who runs where ------------------------------------------------------------------------------------

function Get-SealiftClusterName {
    # The name Windows knows; empty when this host is in no cluster.
    if ($null -eq (Get-Command -Name 'Get-Cluster' -ErrorAction SilentlyContinue)) { return '' }
    [string] (Get-Cluster).Name
}

function Get-SealiftNode {
    $local = [System.Environment]::MachineName
    if ($null -eq (Get-Command -Name 'Get-ClusterNode' -ErrorAction SilentlyContinue)) {
        return [pscustomobject] @{ Name = $local; IsLocal = $true }
    }
    foreach ($node in @(Get-ClusterNode)) {
        if ("$($node.State)" -eq 'Down') {
            # A VM with a cluster role has moved to another node and is seen there.
            Write-Warning "node $($node.Name) is down: a VM that is registered only there is not seen"
            continue
        }
        [pscustomobject] @{ Name = [string] $node.Name; IsLocal = ([string] $node.Name -eq $local) }
    }
}

function Get-SealiftVM {
    # Every VM of the cluster. A node that is up and does not answer ends this: a VM that is not seen would
    # be taken for one that does not exist.
    foreach ($node in @(Get-SealiftNode)) {
        try {
            if ($node.IsLocal) { $machines = @(Get-VM -ErrorAction Stop) }
            else { $machines = @(Get-VM -ComputerName $node.Name -ErrorAction Stop) }
        }
        catch {
            throw (Format-SealiftFailure -What 'a node of the cluster does not list its VMs' -Where "node $($node.Name)" `
                    -Cause $_.Exception.Message -Next "run: Get-VM -ComputerName $($node.Name)")
        }
        foreach ($machine in $machines) {
            $isolation = Get-SealiftValue -From $machine -Name 'GuestStateIsolationType'
            if ($null -eq $isolation) {
                throw (Format-SealiftFailure -What 'this host does not say which VMs are Trusted Launch VMs' `
                        -Where "node $($node.Name), VM $($machine.Name)" `
                        -Next 'Azure Local 2505 or later is needed, where Get-VM has GuestStateIsolationType')
            }
            [pscustomobject] @{
                Id        = ConvertTo-SealiftId -Id $machine.VMId
                Name      = [string] $machine.Name
                State     = "$($machine.State)"
                Isolation = "$isolation"
                Node      = $node.Name
                IsLocal   = $node.IsLocal
                Machine   = $machine
            }
        }
    }
}

function Get-SealiftHostBuild {
    # "10.0.26100.32230": Windows has the last part only in the registry.
    param([Parameter(Mandatory = $true)] [object] $Node)
    $where = @{}
    if (-not $Node.IsLocal) { $where = @{ ComputerName = $Node.Name } }
    $system = Get-CimInstance -ClassName 'Win32_OperatingSystem' @where
    $registry = Invoke-CimMethod -Namespace 'root/cimv2' -ClassName 'StdRegProv' -MethodName 'GetDWORDValue' -Arguments @{
        hDefKey     = [uint32] 2147483650
        sSubKeyName = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'
        sValueName  = 'UBR'
    } @where
    if ($registry.ReturnValue -ne 0) { throw "node $($Node.Name) does not say its update revision (UBR)" }
    "$($system.Version).$($registry.uValue)"
}

Export-ModuleMember -Function @(
    'Format-SealiftFailure', 'Write-SealiftFailure', 'Get-SealiftUtcTime', 'ConvertTo-SealiftId', 'Get-SealiftValue',
    'Resolve-SealiftPath', 'Write-SealiftJson', 'Read-SealiftJson', 'Read-SealiftWrappingKey', 'Assert-SealiftMoc',
    'Get-SealiftVaultKey', 'Find-SealiftVaultKey', 'Get-SealiftAttestationKeyName', 'Format-SealiftRemoveKey',
    'Export-SealiftKey', 'Import-SealiftKey', 'Remove-SealiftKey', 'New-SealiftWrappingKey', 'Save-SealiftPublicKey',
    'Get-SealiftClusterName', 'Get-SealiftVM', 'Get-SealiftHostBuild'
)
