#Requires -Version 5.1
<#
.SYNOPSIS
    Brings a VM that Sealift restored into a folder back on an Azure Local system: its protection key
    first, then the VM. Or proves on another cluster that it would come back (-Drill).

.DESCRIPTION
    Run it on a node of the target system, as its administrator, in Windows PowerShell 5.1 or
    PowerShell 7. The order of a restore:

    1. Here:     .\Import-SealiftVM.ps1 -NewWrappingKey sealift-2026-11 -Out wrapping-key.pem
       makes a wrapping key in this system's key vault. Its private half never leaves the vault.
    2. On Linux: sealift restore tvm-payroll-01 --repo REPOSITORY --identity safe-1.pem --key-identity moc-1.pem
                     --to-directory DIR --wrap-to wrapping-key.pem --wrapping-key-name sealift-2026-11
       and copy DIR to this system.
    3. Here:     .\Import-SealiftVM.ps1 -Path DIR -StoragePath C:\ClusterStorage\UserStorage_1
    4. Here:     .\Import-SealiftVM.ps1 -RemoveWrappingKey sealift-2026-11

    Everything that speaks against the import is looked for, and named, before anything is touched: files
    that are missing, or not as Sealift wrote them (every byte is read), a VM of that id on any node, a key of that name in the vault, a
    guest state that this system cannot open. If a later step fails, what was made is removed again.

    The VM keeps its id: its protection key is found under that name. It is not started unless -Start is
    given, and never before its key is in the vault: a VM that starts without its key gets a new one, and
    never opens its guest state again until that is undone.

    Exit status: 0 all done; 2 a parameter is wrong; 4 a step failed, the message says what was undone and
    what is left; 5 refused before anything was touched; 6 the drill ran and the VM did not prove itself.
    PowerShell itself ends with 1 when it cannot bind the parameters.

.PARAMETER Path
    The folder that "sealift restore --to-directory" wrote, with sealift-restore.json in it.

.PARAMETER StoragePath
    An existing folder, usually of a cluster shared volume. The VM's files go into a new folder in it.

.PARAMETER Cluster
    The name that Sealift knows this cluster by, where it is not the one Windows knows.

.PARAMETER AcceptGuestStateLoss
    Import the VM although its guest state cannot be opened here or is not there. Its vTPM is then empty:
    BitLocker asks for its recovery password, and whatever else was sealed to the vTPM is lost.

.PARAMETER KeepAttestationKey
    This system has another AzureStackTvmAKRootKey than the backup: go on with the one of this system.

.PARAMETER DisconnectMissingSwitch
    A network adapter whose virtual switch does not exist here is disconnected. Without it the import is
    refused and the adapters are named.

.PARAMETER Start
    Start the VM when all else succeeded.

.PARAMETER NewWrappingKey
    Name of the wrapping key to make: letters, digits and hyphens.

.PARAMETER Out
    The file for its public half. It must not exist.

.PARAMETER RemoveWrappingKey
    Name of a wrapping key to remove from the vault, at the end. One that is left there is exported with
    the next backup of the vault, and collides later.

.PARAMETER Drill
    Import key and VM on a cluster that is not the source, connect the VM to a private switch of its own,
    start it, wait for its heartbeat, ask BitLocker, write the evidence, and remove everything again.

.PARAMETER EvidencePath
    The file for the evidence of the drill (JSON). It must not exist.

.PARAMETER Credential
    An administrator inside the guest, to ask BitLocker by PowerShell Direct. Without it that step is
    recorded as not done. Recovery passwords are never asked for.

.PARAMETER HeartbeatSeconds
    How long the drill waits for the guest's heartbeat.

.EXAMPLE
    .\Import-SealiftVM.ps1 -NewWrappingKey sealift-2026-11 -Out .\wrapping-key.pem

.EXAMPLE
    .\Import-SealiftVM.ps1 -Path D:\restore\tvm-payroll-01 -StoragePath C:\ClusterStorage\UserStorage_1 -WhatIf

    Every check, and what would be done. Nothing is touched.

.EXAMPLE
    .\Import-SealiftVM.ps1 -Path D:\restore\tvm-payroll-01 -StoragePath C:\ClusterStorage\UserStorage_1 -Start

.EXAMPLE
    .\Import-SealiftVM.ps1 -RemoveWrappingKey sealift-2026-11

.EXAMPLE
    .\Import-SealiftVM.ps1 -Drill -Path D:\restore\tvm-payroll-01 -StoragePath C:\ClusterStorage\UserStorage_1 -EvidencePath .\drill.json -Credential (Get-Credential)
#>
[CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'Restore')]
param(
    # Nothing is Mandatory: a script must end with status 2 instead of being asked for a value.
    [Parameter(ParameterSetName = 'Restore', Position = 0)]
    [Parameter(ParameterSetName = 'Drill', Position = 0)]
    [string] $Path = '',

    [Parameter(ParameterSetName = 'Restore')]
    [Parameter(ParameterSetName = 'Drill')]
    [string] $StoragePath = '',

    [Parameter(ParameterSetName = 'Restore')]
    [Parameter(ParameterSetName = 'Drill')]
    [string] $Cluster = '',

    [Parameter(ParameterSetName = 'Restore')]
    [switch] $AcceptGuestStateLoss,

    [Parameter(ParameterSetName = 'Restore')]
    [switch] $KeepAttestationKey,

    [Parameter(ParameterSetName = 'Restore')]
    [switch] $DisconnectMissingSwitch,

    [Parameter(ParameterSetName = 'Restore')]
    [switch] $Start,

    [Parameter(ParameterSetName = 'NewWrappingKey')]
    [string] $NewWrappingKey = '',

    [Parameter(ParameterSetName = 'NewWrappingKey')]
    [string] $Out = '',

    [Parameter(ParameterSetName = 'RemoveWrappingKey')]
    [string] $RemoveWrappingKey = '',

    [Parameter(ParameterSetName = 'Drill')]
    [switch] $Drill,

    [Parameter(ParameterSetName = 'Drill')]
    [string] $EvidencePath = '',

    [Parameter(ParameterSetName = 'Drill')]
    [System.Management.Automation.PSCredential] $Credential = $null,

    [Parameter(ParameterSetName = 'Drill')]
    [ValidateRange(1, 86400)]
    [int] $HeartbeatSeconds = 900
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
Import-Module -Name (Join-Path -Path $PSScriptRoot -ChildPath 'Sealift.psm1') -Force

$attestationKeyName = Get-SealiftAttestationKeyName
# "Could not find Ethernet switch": the example on Compare-VM's page (windows-powershell-docs) has this id.
$missingSwitchMessage = 33012

function Stop-WithError {
    param([int] $Status, [string] $What, [string] $Where, [string] $Cause, [string] $Next)
    Write-SealiftFailure -What $What -Where $Where -Cause $Cause -Next $Next
    exit $Status
}

# --- wrapping keys -------------------------------------------------------------------------------------

if ($PSCmdlet.ParameterSetName -eq 'NewWrappingKey') {
    # No '_': the tools that import a whole folder of keys cut names there. No id: it would be a VM's key.
    $isId = $NewWrappingKey -match '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
    if ($NewWrappingKey -notmatch '^[A-Za-z0-9][A-Za-z0-9-]{0,62}$' -or $isId -or $NewWrappingKey -eq $attestationKeyName) {
        Stop-WithError -Status 2 -What "a wrapping key cannot be named ""$NewWrappingKey""" `
            -Next 'give letters, digits and hyphens, for example -NewWrappingKey sealift-2026-11'
    }
    if (-not $Out) { Stop-WithError -Status 2 -What 'no file was given for the public half' -Next 'add -Out FILE.pem' }
    $Out = Resolve-SealiftPath -Path $Out
    if (-not [System.IO.Directory]::Exists([System.IO.Path]::GetDirectoryName($Out))) {
        Stop-WithError -Status 2 -What 'the folder for the public half is not there' -Where $Out -Next 'make the folder first'
    }
    if (Test-Path -LiteralPath $Out) {
        Stop-WithError -Status 5 -What 'a file is there already, and it was kept' -Where $Out -Next 'name another file with -Out'
    }
    try {
        Assert-SealiftMoc
        $existing = Find-SealiftVaultKey -Keys @(Get-SealiftVaultKey) -Name $NewWrappingKey
    }
    catch {
        Stop-WithError -Status 4 -What 'the key vault cannot be read; no key was made' -Cause $_.Exception.Message `
            -Next 'run this on a node of the target system, as its administrator'
    }
    if ($null -ne $existing) {
        Stop-WithError -Status 5 -What "a key named $NewWrappingKey is in the vault already; no key was made" `
            -Next "choose another name; or, if nobody needs that key: $(Format-SealiftRemoveKey -Name $NewWrappingKey)"
    }
    if ($PSCmdlet.ShouldProcess("key vault, wrapping key $NewWrappingKey", "make it and write its public half to $Out")) {
        $made = $false
        try {
            New-SealiftWrappingKey -Name $NewWrappingKey
            $made = $true
            Save-SealiftPublicKey -Name $NewWrappingKey -Path $Out
        }
        catch {
            $cause = $_.Exception.Message
            $left = 'nothing was left behind'
            if ($made) {
                try { Remove-SealiftKey -Name $NewWrappingKey }
                catch { $left = "the key is left in the vault: $(Format-SealiftRemoveKey -Name $NewWrappingKey)" }
            }
            Stop-WithError -Status 4 -What "no usable wrapping key was made; $left" -Where "wrapping key $NewWrappingKey" -Cause $cause `
                -Next 'mend the cause and run this again'
        }
        "made wrapping key $NewWrappingKey; its public half is in $Out"
        "next: sealift restore VM --repo REPOSITORY --identity KEY.pem --key-identity MOC-KEY.pem --to-directory DIR --wrap-to $([System.IO.Path]::GetFileName($Out)) --wrapping-key-name $NewWrappingKey"
        "at the end: .\Import-SealiftVM.ps1 -RemoveWrappingKey $NewWrappingKey"
    }
    exit 0
}

if ($PSCmdlet.ParameterSetName -eq 'RemoveWrappingKey') {
    try {
        Assert-SealiftMoc
        $existing = Find-SealiftVaultKey -Keys @(Get-SealiftVaultKey) -Name $RemoveWrappingKey
    }
    catch {
        Stop-WithError -Status 4 -What 'the key vault cannot be read; nothing was removed' -Cause $_.Exception.Message `
            -Next 'run this on a node of the target system, as its administrator'
    }
    if ($null -eq $existing) {
        Stop-WithError -Status 5 -What "there is no key named ""$RemoveWrappingKey"" in the vault; nothing was removed" `
            -Next 'run Get-MocKey -group AzureStackHostAttestation -keyvaultName AzureStackTvmKeyVault'
    }
    # A protection key is AES, and the attestation key is the one RSA key that must stay.
    if ($existing.Type -notlike 'RSA*' -or $existing.Name -eq $attestationKeyName) {
        Stop-WithError -Status 5 -What "$($existing.Name) ($($existing.Type)) is not a wrapping key; nothing was removed" `
            -Next 'name the key that -NewWrappingKey made'
    }
    if ($PSCmdlet.ShouldProcess("key vault, wrapping key $RemoveWrappingKey", 'remove it')) {
        try { Remove-SealiftKey -Name $RemoveWrappingKey }
        catch {
            Stop-WithError -Status 4 -What "the wrapping key $RemoveWrappingKey could not be removed" -Cause $_.Exception.Message `
                -Next "by hand: $(Format-SealiftRemoveKey -Name $RemoveWrappingKey)"
        }
        "removed wrapping key $RemoveWrappingKey from the vault"
    }
    exit 0
}

# --- parameters of a restore and of a drill ------------------------------------------------------------

$isDrill = $PSCmdlet.ParameterSetName -eq 'Drill'
if (-not $Path) {
    Stop-WithError -Status 2 -What 'no folder was given' -Next 'add -Path with the folder that "sealift restore --to-directory" wrote'
}
if (-not $StoragePath) {
    Stop-WithError -Status 2 -What 'no place was given for the VM' -Next 'add -StoragePath, for example C:\ClusterStorage\UserStorage_1'
}
$Path = Resolve-SealiftPath -Path $Path
$StoragePath = Resolve-SealiftPath -Path $StoragePath
$recordPath = [System.IO.Path]::Combine($Path, 'sealift-restore.json')
if (-not [System.IO.File]::Exists($recordPath)) {
    Stop-WithError -Status 2 -What 'the folder has no sealift-restore.json' -Where $Path `
        -Next 'name the folder that "sealift restore --to-directory" wrote, and copy it whole'
}
if (-not [System.IO.Directory]::Exists($StoragePath)) {
    Stop-WithError -Status 2 -What 'the place for the VM is not a folder' -Where $StoragePath -Next 'make it first, readable for administrators and Hyper-V only'
}
if ($isDrill) {
    if (-not $EvidencePath) { Stop-WithError -Status 2 -What 'no file was given for the evidence' -Next 'add -EvidencePath FILE.json' }
    $EvidencePath = Resolve-SealiftPath -Path $EvidencePath
    if (-not [System.IO.Directory]::Exists([System.IO.Path]::GetDirectoryName($EvidencePath))) {
        Stop-WithError -Status 2 -What 'the folder for the evidence is not there' -Where $EvidencePath -Next 'make the folder first'
    }
    if (Test-Path -LiteralPath $EvidencePath) {
        Stop-WithError -Status 5 -What 'evidence is there already, and it was kept' -Where $EvidencePath -Next 'name another file with -EvidencePath'
    }
}

# --- what the folder says ------------------------------------------------------------------------------

function Resolve-RecordPath {
    # A path out of the record, below the folder and nowhere else.
    param([string] $Relative)
    $parts = @($Relative.Split('/'))
    if (-not $Relative -or $Relative -match '[\\:]' -or $parts -contains '..' -or $parts -contains '.' -or $parts -contains '') {
        throw "sealift-restore.json has a path that leads out of its folder: ""$Relative"""
    }
    [System.IO.Path]::Combine($Path, $Relative.Replace('/', [System.IO.Path]::DirectorySeparatorChar))
}

function Read-RestoreRecord {
    $json = Read-SealiftJson -Path $recordPath
    $keys = @(foreach ($key in @(Get-SealiftValue -From $json -Name 'keys' -Default @())) {
            [pscustomobject] @{
                Name   = [string] $key.key_name
                Type   = [string] $key.type
                Size   = [int] $key.size
                Path   = Resolve-RecordPath -Relative ([string] $key.path)
                Sha256 = [string] $key.sha256
            }
        })
    $files = @(foreach ($file in @(Get-SealiftValue -From $json -Name 'files' -Default @())) {
            [pscustomobject] @{
                Name   = [string] $file.path
                Path   = Resolve-RecordPath -Relative ([string] $file.path)
                Size   = [long] $file.size
                Sha256 = [string] $file.sha256
            }
        })
    [pscustomobject] @{
        Id              = ConvertTo-SealiftId -Id $json.vm_id
        Name            = [string] $json.vm_name
        Snapshot        = [string] $json.snapshot
        SourceCluster   = [string] $json.source_cluster
        GuestState      = [string] $json.guest_state
        Configuration   = Resolve-RecordPath -Relative ([string] $json.configuration)
        WrappingKeyName = [string] (Get-SealiftValue -From $json -Name 'wrapping_key_name' -Default '')
        Keys            = $keys
        Files           = $files
    }
}

try { $record = Read-RestoreRecord }
catch {
    Stop-WithError -Status 5 -What 'the folder cannot be used; nothing was touched' -Where $recordPath -Cause $_.Exception.Message `
        -Next 'copy the folder again from where "sealift restore" wrote it'
}
$label = "VM $($record.Name) ($($record.Id))"

# --- what speaks against it ----------------------------------------------------------------------------

$blockers = New-Object -TypeName System.Collections.ArrayList
function Add-Blocker {
    param([string] $What, [string] $Where, [string] $Cause, [string] $Next)
    $null = $blockers.Add((Format-SealiftFailure -What $What -Where $Where -Cause $Cause -Next $Next))
}

foreach ($file in $record.Files) {
    if (-not [System.IO.File]::Exists($file.Path)) {
        Add-Blocker -What 'a file is missing' -Where $file.Path -Next 'copy the folder again'
        continue
    }
    $size = (Get-Item -LiteralPath $file.Path -Force).Length
    if ($size -ne $file.Size) {
        Add-Blocker -What "a file has $size bytes and should have $($file.Size)" -Where $file.Path -Next 'copy the folder again'
    }
}
$listed = @($record.Files | ForEach-Object { $_.Path })
foreach ($needed in @($record.Configuration) + @($record.Keys | ForEach-Object { $_.Path })) {
    # A missing one that is listed was named above.
    if ($listed -notcontains $needed -and -not [System.IO.File]::Exists($needed)) {
        Add-Blocker -What 'a file is missing' -Where $needed -Next 'copy the folder again'
    }
}

try {
    Assert-SealiftMoc
    $windowsName = Get-SealiftClusterName
    $vaultKeys = @(Get-SealiftVaultKey)
    $machines = @(Get-SealiftVM)
}
catch {
    Stop-WithError -Status 5 -What 'this cluster cannot be looked at; nothing was touched' -Where $label -Cause $_.Exception.Message `
        -Next 'run this on a node of the target system, as its administrator'
}
foreach ($machine in @($machines | Where-Object { $_.Id -eq $record.Id })) {
    Add-Blocker -What "a VM of this id is registered here (state $($machine.State)): one VM must never run twice" `
        -Where "VM $($machine.Name), node $($machine.Node)" `
        -Next 'if that VM is the damaged one, remove it from its cluster role and from Hyper-V yourself, keep its files, and run this again'
}
# Named after the id, as in RUNBOOK.md: names of VMs may repeat, and may hold what no folder may be named.
$storageFolder = [System.IO.Path]::Combine($StoragePath, $record.Id)
if ($isDrill) {
    $stamp = Get-SealiftUtcTime -Format "yyyyMMdd'T'HHmmss'Z'"
    $storageFolder = [System.IO.Path]::Combine($StoragePath, "sealift-drill-$stamp-$($record.Id)")
    $ownNames = @($windowsName, $Cluster) | Where-Object { $_ }
    if (@($ownNames).Count -eq 0 -or -not $record.SourceCluster) {
        Add-Blocker -What 'it cannot be told that this is another cluster than the source' -Where $label `
            -Next 'run the drill on a node of a cluster, and name it with -Cluster if Windows does not'
    }
    if ($ownNames -contains $record.SourceCluster) {
        Add-Blocker -What "this is the cluster the VM comes from ($($record.SourceCluster)): a drill here could meet the real VM" `
            -Where $label -Next 'run the drill on another cluster'
    }
}
if (Test-Path -LiteralPath $storageFolder) {
    Add-Blocker -What 'the folder for the VM is there already' -Where $storageFolder -Next 'name another -StoragePath, or see whose files these are'
}

# Which keys to import. The attestation key of this system is another matter than the VM's own key.
$imports = @()
foreach ($key in $record.Keys) {
    $existing = Find-SealiftVaultKey -Keys $vaultKeys -Name $key.Name
    if ($key.Name -eq $attestationKeyName) {
        # A drill must leave the vault as it was, and a started VM must find the attestation key of its cluster.
        if ($isDrill) { continue }
        if ($null -eq $existing) { $imports += $key }
        elseif (-not $KeepAttestationKey) {
            Add-Blocker -What "the vault has an $attestationKeyName already; this script does not replace it" -Where $label `
                -Cause ('the system makes it when its first Trusted Launch VM starts, and what Microsoft says of it differs. ' +
                    '(1) The page of 07/10/2025: delete it if a VM was started by mistake before its key was restored. ' +
                    '(2) The same page of 07/21 and 07/23/2025: delete it, before the import, only when restoring to the same system. ' +
                    '(3) TvmBackupUtils.psm1: delete it before the import if a Trusted Launch VM had been created here. RUNBOOK.md says more') `
                -Next "decide: run this again with -KeepAttestationKey; or: $(Format-SealiftRemoveKey -Name $attestationKeyName)"
        }
        continue
    }
    if ($null -ne $existing) {
        $compared = 'it has the same type and size; whether it is the same key cannot be told, since no key can be read out of a vault'
        if ($existing.Type -ne $key.Type -or $existing.Size -ne $key.Size) {
            $compared = "it is another key: $($existing.Type) $($existing.Size) here, $($key.Type) $($key.Size) in the backup"
        }
        Add-Blocker -What "the vault has a key named $($key.Name) already" -Where $label `
            -Cause "$compared. If the VM was started here before its key was imported, the system made that key, and the VM never opens with it" `
            -Next "if no VM here needs that key: $(Format-SealiftRemoveKey -Name $key.Name); then run this again, before the VM is started"
        continue
    }
    $imports += $key
}
if (@($imports).Count -gt 0) {
    $wrapping = $null
    if ($record.WrappingKeyName) { $wrapping = Find-SealiftVaultKey -Keys $vaultKeys -Name $record.WrappingKeyName }
    if (@($record.Keys | Where-Object { $_.Name -eq $record.WrappingKeyName }).Count -gt 0) {
        # The import of a key that is named like its wrapping key may hang (TvmBackupUtils.psm1, notes).
        Add-Blocker -What "the wrapping key and a key to import have the same name, $($record.WrappingKeyName)" -Where $label `
            -Next 'make a wrapping key of another name with -NewWrappingKey, and restore again'
    }
    elseif ($null -eq $wrapping -or $wrapping.Type -notlike 'RSA*') {
        Add-Blocker -What "the vault has no wrapping key named ""$($record.WrappingKeyName)""" -Where $label `
            -Next 'make one with -NewWrappingKey, and restore again with --wrap-to and --wrapping-key-name; a new key of the old name does not open these files'
    }
}
$ownKeys = @($record.Keys | Where-Object { $_.Name -eq $record.Id -and $_.Type -eq 'AES' })
if ($record.GuestState -eq 'GspKey' -and $ownKeys.Count -ne 1) {
    Add-Blocker -What 'the guest state is encrypted by a protection key, and the folder does not hold that key' -Where $label `
        -Next 'restore again with --wrap-to and --wrapping-key-name'
}
if (@('GspKey', 'GspById', 'none', 'empty', 'absent', 'unknown') -notcontains $record.GuestState) {
    Add-Blocker -What "sealift-restore.json describes the guest state as ""$($record.GuestState)"", which is not known here" -Where $label `
        -Next 'use the scripts of the version of Sealift that wrote it'
}
$lost = ''
if ($record.GuestState -eq 'GspById') {
    $lost = 'the guest state is bound to a seed of the host it ran on (GspById), and no imported key opens it anywhere else'
}
elseif ($record.GuestState -eq 'absent' -and $record.Keys.Count -gt 0) {
    $lost = 'the backup holds no guest state (.vmgs) for this Trusted Launch VM'
}
if ($lost) {
    $meaning = 'the VM would come up with an empty vTPM: BitLocker asks for its recovery password, and whatever else was sealed to the vTPM is lost'
    if ($isDrill) { Add-Blocker -What "$lost; the drill could prove nothing" -Where $label -Next 'choose another snapshot' }
    elseif ($AcceptGuestStateLoss) { Write-Warning "${label}: $lost; $meaning" }
    else {
        Add-Blocker -What $lost -Where $label -Cause $meaning `
            -Next 'have the BitLocker recovery password at hand, then run this again with -AcceptGuestStateLoss'
    }
}
if ($record.GuestState -eq 'none') {
    Write-Warning "${label}: the guest state is not encrypted; whoever reads the files reads the secrets of the vTPM"
}
if ($record.GuestState -eq 'unknown') {
    Write-Warning "${label}: Sealift could not tell how the guest state is encrypted; that the VM starts here is not sure"
}

# Last, because it reads every byte of the disks.
if ($blockers.Count -eq 0) {
    # A key of another restore is wrapped to the same key: the import would take it.
    foreach ($file in @($record.Files) + @($record.Keys)) {
        Write-Progress -Activity "Comparing the files of $label with what Sealift wrote" -Status $file.Name
        try { $digest = (Get-FileHash -LiteralPath $file.Path -Algorithm SHA256).Hash }
        catch {
            Add-Blocker -What 'a file cannot be read' -Where $file.Path -Cause $_.Exception.Message -Next 'copy the folder again'
            continue
        }
        if ($digest -ne $file.Sha256) {
            Add-Blocker -What 'a file was changed or damaged since Sealift wrote it (its SHA-256 is another)' -Where $file.Path -Next 'copy the folder again'
        }
    }
    Write-Progress -Activity "Comparing the files of $label with what Sealift wrote" -Completed
}

if ($blockers.Count -gt 0) {
    foreach ($blocker in $blockers) { Write-Error -Message $blocker -ErrorAction Continue }
    Stop-WithError -Status 5 -What "refused for $($blockers.Count) reason(s), each named above; nothing was touched" `
        -Where $label -Next 'see the next: lines above'
}

# --- steps that both modes take ------------------------------------------------------------------------

function Import-RecordKey {
    # Adds to $Done each key that this run put into the vault, so that a failure can take it out again.
    param([object[]] $Keys, [System.Collections.ArrayList] $Done)
    foreach ($key in $Keys) {
        Import-SealiftKey -Name $key.Name -Type $key.Type -Size $key.Size -Path $key.Path -WrappingKeyName $record.WrappingKeyName
        $null = $Done.Add($key.Name)
    }
    # An import that reports nothing and does nothing would be found at the first start, when it is too late.
    $now = @(Get-SealiftVaultKey)
    foreach ($key in $Keys) {
        $found = Find-SealiftVaultKey -Keys $now -Name $key.Name
        if ($null -eq $found) { throw "the import of key $($key.Name) reported no error, and the vault does not have it" }
        if ($found.Type -ne $key.Type -or $found.Size -ne $key.Size) {
            throw "key $($key.Name) is $($found.Type) $($found.Size) in the vault and should be $($key.Type) $($key.Size)"
        }
    }
}

function Import-ComparedVM {
    # Throws unless Hyper-V agrees with everything but missing switches that may be cut.
    param([object] $Report, [switch] $CutMissingSwitch)
    $problems = @(Get-SealiftValue -From $Report -Name 'Incompatibilities' -Default @())
    $refused = @()
    foreach ($problem in $problems) {
        if ($CutMissingSwitch -and $problem.MessageId -eq $missingSwitchMessage) {
            Write-Warning "${label}: $($problem.Message) The adapter is disconnected."
            $problem.Source | Disconnect-VMNetworkAdapter -ErrorAction Stop
        }
        else { $refused += "$($problem.Message) ($($problem.MessageId))" }
    }
    if ($refused.Count -gt 0) {
        $hint = ''
        if (@($problems | Where-Object { $_.MessageId -ne $missingSwitchMessage }).Count -eq 0) {
            $hint = '; make the switch here, or run this again with -DisconnectMissingSwitch'
        }
        throw "Hyper-V does not take the VM as it is: $($refused -join '; ')$hint"
    }
    # The report holds the VM that Hyper-V has read already, with the paths and the adapters cut above:
    # Import-VM takes it instead of them (the last example on Compare-VM's page).
    $vm = Import-VM -CompatibilityReport $Report -ErrorAction Stop
    $id = ConvertTo-SealiftId -Id $vm.VMId
    if ($id -ne $record.Id) {
        Remove-VM -VM $vm -Force -ErrorAction Stop
        throw "Hyper-V gave the VM the id $id, and its protection key is found only under $($record.Id)"
    }
    $vm
}

function Import-RecordVM {
    # Keeps the VM's id.
    param([switch] $CutMissingSwitch)
    # -Copy with the three paths and without -GenerateNewId: the parameter set "Copy" of Compare-VM
    # (windows-powershell-docs, winserver2022-ps/hyper-v/Compare-VM.md). Hyper-V adds "Virtual Machines" and
    # "Snapshots" below the folder itself.
    $places = @{
        Path               = $record.Configuration
        Copy               = $true
        VirtualMachinePath = $storageFolder
        SnapshotFilePath   = $storageFolder
        VhdDestinationPath = [System.IO.Path]::Combine($storageFolder, 'Virtual Hard Disks')
        ErrorAction        = 'Stop'
    }
    $report = Compare-VM @places
    try { Import-ComparedVM -Report $report -CutMissingSwitch:$CutMissingSwitch }
    catch {
        $reason = $_.Exception.Message
        # Compare-VM makes a planned VM of this id, which Get-VM does not list. Import-VM takes it over, or
        # leaves it when it fails: the next try would meet it.
        try { Remove-VM -VM $report.VM -Force -ErrorAction Stop }
        catch { Write-Warning "${label}: the planned VM that Compare-VM made could not be removed ($($_.Exception.Message))" }
        throw $reason
    }
}

function Remove-ImportedVM {
    # Of the id that was registered nowhere when this run looked: it is this run's own.
    $ids = @(Get-VM -ErrorAction Stop | Where-Object { (ConvertTo-SealiftId -Id $_.VMId) -eq $record.Id })
    foreach ($vm in $ids) {
        # A VM imported with its saved state is not running, and Stop-VM has nothing to turn off.
        if ("$($vm.State)" -ne 'Off' -and "$($vm.State)" -ne 'Saved') { Stop-VM -VM $vm -TurnOff -Force -ErrorAction Stop }
        Remove-VM -VM $vm -Force -ErrorAction Stop
    }
}

function Invoke-Undo {
    # Runs one step of cleaning up; a step that fails is returned as text and does not stop the next.
    param([string] $What, [scriptblock] $Action)
    try { $null = & $Action }
    catch { "$What ($($_.Exception.Message))" }
}

# --- the restore ---------------------------------------------------------------------------------------

if (-not $isDrill) {
    $keyNames = @($imports | ForEach-Object { $_.Name })
    if (-not $PSCmdlet.ShouldProcess($label, "import $($keyNames.Count) key(s) into the vault, then import the VM into $storageFolder")) { exit 0 }
    $ConfirmPreference = 'None'
    $importedKeys = New-Object -TypeName System.Collections.ArrayList
    try {
        Import-RecordKey -Keys $imports -Done $importedKeys
        $null = [System.IO.Directory]::CreateDirectory($storageFolder)
        $vm = Import-RecordVM -CutMissingSwitch:$DisconnectMissingSwitch
    }
    catch {
        $cause = $_.Exception.Message
        $left = @()
        $left += @(Invoke-Undo -What 'the VM is still registered: remove it in Hyper-V' -Action { Remove-ImportedVM })
        $left += @(Invoke-Undo -What "files are left in $storageFolder" -Action {
                if ([System.IO.Directory]::Exists($storageFolder)) { Remove-Item -LiteralPath $storageFolder -Recurse -Force }
            })
        foreach ($name in @($importedKeys)) {
            # The key is in the folder still, and a key that stays would stop the next try.
            $left += @(Invoke-Undo -What "a key is left in the vault: $(Format-SealiftRemoveKey -Name $name)" -Action { Remove-SealiftKey -Name $name })
        }
        $undone = 'keys and files that this run made were removed again'
        if ($left.Count -gt 0) { $undone = "not everything could be removed again: $($left -join '; ')" }
        Stop-WithError -Status 4 -What "the VM was not brought back; $undone" -Where $label -Cause $cause -Next 'mend the cause and run this again'
    }
    foreach ($name in $keyNames) { "imported key $name" }
    "imported VM $($record.Name) ($($record.Id)) into $storageFolder"
    if ($Start) {
        try { Start-VM -VM $vm -ErrorAction Stop }
        catch {
            Stop-WithError -Status 4 -What 'the VM and its key are imported, and the VM does not start; nothing was removed' -Where $label `
                -Cause $_.Exception.Message -Next "see that the IGVM agent runs on this node, then: Start-VM -Name '$($record.Name)'"
        }
        "started VM $($record.Name)"
    }
    "next: Add-ClusterVirtualMachineRole -VMId $($record.Id)   (makes it a role of this cluster)"
    if ($record.WrappingKeyName) { "next: .\Import-SealiftVM.ps1 -RemoveWrappingKey $($record.WrappingKeyName)   (when no other VM waits for it)" }
    'note: on another system than its own, Azure does not manage the VM until it is registered there again.'
    "note: make sure that the VM never runs again on $($record.SourceCluster)."
    exit 0
}

# --- the drill -----------------------------------------------------------------------------------------

$what = "drill: import its key and the VM into $storageFolder, start it on a private switch, and remove everything again"
if (-not $PSCmdlet.ShouldProcess($label, $what)) { exit 0 }
$ConfirmPreference = 'None'

# What the drill proves, in this order. A step that is never reached stays "not done".
$stepNames = @('switch made', 'key imported', 'VM imported', 'network isolated', 'VM started', 'heartbeat', 'BitLocker unlocked',
    'VM removed', 'files removed', 'switch removed', 'key removed')
$steps = [ordered] @{}
foreach ($name in $stepNames) { $steps[$name] = [ordered] @{ name = $name; result = 'not done'; seconds = 0.0; detail = '' } }

function Invoke-Step {
    # Runs one step, records it, and tells whether it passed. What the action returns is the detail.
    param([string] $Name, [scriptblock] $Action)
    $step = $steps[$Name]
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    try {
        $step['detail'] = (@(& $Action) | ForEach-Object { "$_" }) -join '; '
        $step['result'] = 'pass'
    }
    catch {
        $step['result'] = 'fail'
        $step['detail'] = $_.Exception.Message
    }
    $step['seconds'] = [System.Math]::Round($watch.Elapsed.TotalSeconds, 1)
    $step['result'] -eq 'pass'
}

function Wait-Heartbeat {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    while ($true) {
        $now = @(Get-VM -Id $record.Id -ErrorAction Stop)[0]
        # OkApplicationsHealthy or OkApplicationsUnknown: the guest's integration service answers.
        if ("$($now.Heartbeat)" -like 'Ok*') { return "$($now.Heartbeat)" }
        if ("$($now.State)" -eq 'Off') { throw 'the VM turned itself off while it started' }
        if ($watch.Elapsed.TotalSeconds -ge $HeartbeatSeconds) {
            throw "no heartbeat within $HeartbeatSeconds seconds (state $($now.State), heartbeat ""$($now.Heartbeat)"")"
        }
        Start-Sleep -Seconds 5
    }
}

function Test-GuestBitLocker {
    # Only states leave the guest: protectors hold recovery passwords and are not asked for.
    $volumes = @(Invoke-Command -VMId $record.Id -Credential $Credential -ErrorAction Stop -ScriptBlock {
            Get-BitLockerVolume | ForEach-Object { "$($_.MountPoint) $($_.VolumeStatus) protection $($_.ProtectionStatus) $($_.LockStatus)" }
        })
    if ($volumes.Count -eq 0) { throw 'the guest named no volume' }
    # "Locked" only as a word of its own: "Unlocked" contains it.
    $locked = @($volumes | Where-Object { "$_" -match '\bLocked\b' })
    if ($locked.Count -gt 0) { throw "locked: $($locked -join '; ')" }
    $volumes
}

$started = Get-SealiftUtcTime
$switchName = "sealift-drill-$($record.Id)"
# One holder for what a step made, because a script block's own assignments end with it.
$made = @{ Switch = $false; VM = $null }
$importedKeys = New-Object -TypeName System.Collections.ArrayList
$before = @($vaultKeys | ForEach-Object { $_.Name })
try {
    $good = Invoke-Step -Name 'switch made' -Action {
        if (@(Get-VMSwitch | Where-Object { $_.Name -eq $switchName }).Count -gt 0) {
            throw "a switch named $switchName is there already: an earlier drill left it"
        }
        $null = New-VMSwitch -Name $switchName -SwitchType Private -ErrorAction Stop
        $made['Switch'] = $true
        $switchName
    }
    if ($good) {
        $good = Invoke-Step -Name 'key imported' -Action {
            Import-RecordKey -Keys $imports -Done $importedKeys
            "$(@($imports).Count) key(s)"
        }
    }
    if ($good) {
        $good = Invoke-Step -Name 'VM imported' -Action {
            $null = [System.IO.Directory]::CreateDirectory($storageFolder)
            $made['VM'] = Import-RecordVM -CutMissingSwitch
            $storageFolder
        }
    }
    if ($good) {
        $good = Invoke-Step -Name 'network isolated' -Action {
            foreach ($adapter in @(Get-VMNetworkAdapter -VM $made['VM'] -ErrorAction Stop)) {
                Connect-VMNetworkAdapter -VMNetworkAdapter $adapter -SwitchName $switchName -ErrorAction Stop
            }
            # Read anew: one adapter on a real switch would let the copy meet the real VM.
            $adapters = @(Get-VMNetworkAdapter -VM $made['VM'] -ErrorAction Stop)
            $astray = @($adapters | Where-Object { "$($_.SwitchName)" -ne $switchName })
            if ($astray.Count -gt 0) { throw "$($astray.Count) adapter(s) are not on $switchName" }
            "$($adapters.Count) adapter(s)"
        }
    }
    if ($good) { $good = Invoke-Step -Name 'VM started' -Action { Start-VM -VM $made['VM'] -ErrorAction Stop } }
    if ($good) { $good = Invoke-Step -Name 'heartbeat' -Action { Wait-Heartbeat } }
    if ($good) {
        if ($null -eq $Credential) { $steps['BitLocker unlocked']['detail'] = 'no -Credential was given' }
        else { $null = Invoke-Step -Name 'BitLocker unlocked' -Action { Test-GuestBitLocker } }
    }
}
finally {
    # Also when the operator stops the drill. Each step for itself: what one leaves does not keep the next.
    $null = Invoke-Step -Name 'VM removed' -Action { Remove-ImportedVM }
    $null = Invoke-Step -Name 'files removed' -Action {
        if ([System.IO.Directory]::Exists($storageFolder)) { Remove-Item -LiteralPath $storageFolder -Recurse -Force }
    }
    if ($made['Switch']) { $null = Invoke-Step -Name 'switch removed' -Action { Remove-VMSwitch -Name $switchName -Force -ErrorAction Stop } }
    if ($importedKeys.Count -gt 0) {
        $null = Invoke-Step -Name 'key removed' -Action { foreach ($name in @($importedKeys)) { Remove-SealiftKey -Name $name } }
        try {
            $left = @(Get-SealiftVaultKey | Where-Object { $before -notcontains $_.Name } | ForEach-Object { $_.Name })
            # The system makes the attestation key at the first start of a Trusted Launch VM. Another VM may rely
            # on it by now, so it is named and not removed.
            if ($left.Count -gt 0) { $steps['key removed']['detail'] = "new in the vault since the drill began, and left there: $($left -join ', ')" }
        }
        catch { $steps['key removed']['detail'] = "the vault could not be read again: $($_.Exception.Message)" }
    }

    $allSteps = [object[]] @($steps.Values)
    $result = 'pass'
    if (@($allSteps | Where-Object { $_.result -eq 'fail' }).Count -gt 0 -or $steps['heartbeat']['result'] -ne 'pass') { $result = 'fail' }
    $node = [pscustomobject] @{ Name = [System.Environment]::MachineName; IsLocal = $true }
    $build = ''
    try { $build = Get-SealiftHostBuild -Node $node }
    catch { Write-Warning "the host's build is not known: $($_.Exception.Message)" }
    $ownName = $Cluster
    if (-not $ownName) { $ownName = $windowsName }
    $evidence = [ordered] @{
        format     = 1
        snapshot   = $record.Snapshot
        vm_id      = $record.Id
        vm_name    = $record.Name
        cluster    = $ownName
        host       = $node.Name
        host_build = $build
        started    = $started
        ended      = Get-SealiftUtcTime
        steps      = $allSteps
        result     = $result
    }
    $unwritten = ''
    try { Write-SealiftJson -Path $EvidencePath -Value $evidence }
    catch { $unwritten = $_.Exception.Message }
}

foreach ($step in $allSteps) { "$($step.result): $($step.name) ($($step.seconds) s) $($step.detail)" }
if ($unwritten) {
    Stop-WithError -Status 4 -What "the drill ran ($result), and its evidence could not be written" -Where $EvidencePath -Cause $unwritten `
        -Next 'run the drill again with another -EvidencePath; nothing of this one is left here unless a step above failed'
}
"evidence: $EvidencePath"
if ($result -ne 'pass') {
    Stop-WithError -Status 6 -What 'the drill ran, and the VM did not prove itself' -Where "$label, snapshot $($record.Snapshot)" `
        -Next "read the failed step above; the evidence is in $EvidencePath"
}
exit 0
