#Requires -Version 5.1
<#
.SYNOPSIS
    Exports VMs of an Azure Local system, each with its wrapped protection key, into a folder from which
    Sealift backs them up.

.DESCRIPTION
    Run it on a node of the Azure Local system, as its administrator, in Windows PowerShell 5.1 or
    PowerShell 7. Each VM gets a folder of its own in the inbox, <UTC time>-<VM id>:

        sealift-export.unfinished       the first file; gone when everything else is there
        <VM name>/...                   what Export-VM writes
        Keys/<n>/AES/<VM id>_256.json   the VM's protection key, wrapped to the n-th wrapping key
        Keys/<n>/RSA/...                AzureStackTvmAKRootKey, if the vault has it
        sealift-export.json             the last file: what was exported, with the SHA-256 of every file

    Sealift takes a folder only when sealift-export.json is there and sealift-export.unfinished is not.

    A Trusted Launch VM whose protection key is not in the vault is not exported: nobody could start it
    from that backup. One VM's failure does not stop the others. What a failed export wrote is removed.

    With -Clean it removes the exports that Sealift has stored and verified, and nothing else.

    Exit status: 0 all done; 2 a parameter is wrong, nothing was touched; 4 finished, but not everything:
    each failure is named on the error stream. PowerShell itself ends with 1 when it cannot bind the
    parameters.

.PARAMETER Name
    Names or ids of the VMs. Case does not count; there are no wildcards.

.PARAMETER All
    Every VM of the cluster, on all of its nodes.

.PARAMETER Inbox
    An existing folder, usually a share that the Linux host mounts. The computer accounts of the nodes
    write there (Hyper-V does, not you), and nobody but them and the administrators should read it.

.PARAMETER WrappingKeyPath
    One or more public keys in PKCS#1 PEM form ("BEGIN RSA PUBLIC KEY"): the file KEY.moc.pem of
    "sealift keyvault new-recovery-key --bits 2048". Every protection key is wrapped to each of them.

.PARAMETER Cluster
    The name that Sealift knows the cluster by. Default: the name Windows knows.

.PARAMETER CaptureLiveState
    How Export-VM treats a running VM. CaptureCrashConsistentState (the default) does nothing to the
    guest; CaptureDataConsistentState asks the guest for a production checkpoint; CaptureSavedState writes
    the guest's memory, in clear, into the inbox.

.PARAMETER Clean
    Removes those export folders of the inbox that sealift-stored.json, which Sealift writes after a
    verified backup, says are stored: it must name the SHA-256 of the sealift-export.json that lies there,
    and for each repository (see -Repository) a complete snapshot of every VM in it. Everything else is
    left, and named.

.PARAMETER Repository
    With -Clean: the ids of the repositories that must have stored an export before it is removed, as
    "sealift repo show" prints them; blanks do not count. Without it: every repository that any
    sealift-stored.json in the inbox names. Where several repositories take from one inbox, name them all:
    one that has stored nothing there yet is not known otherwise, and would never get what is removed.

.EXAMPLE
    .\Export-SealiftVM.ps1 -Name tvm-payroll-01 -Inbox \\backup\sealift-inbox -WrappingKeyPath .\moc-1.moc.pem

.EXAMPLE
    .\Export-SealiftVM.ps1 -All -Inbox \\backup\sealift-inbox -WrappingKeyPath .\moc-1.moc.pem, .\moc-2.moc.pem -Cluster hq-azl-01

    Every VM of the cluster, the keys wrapped to two recovery keys.

.EXAMPLE
    .\Export-SealiftVM.ps1 -All -Inbox \\backup\sealift-inbox -WrappingKeyPath .\moc-1.moc.pem -WhatIf

    Which VMs would be exported and which ones have no key. Nothing is written.

.EXAMPLE
    .\Export-SealiftVM.ps1 -Clean -Inbox \\backup\sealift-inbox

.EXAMPLE
    .\Export-SealiftVM.ps1 -Clean -Inbox \\backup\sealift-inbox -Repository '1f3a09c2...', '77b0e4d1...'

    Removes what both repositories have stored. Each id has 64 digits.
#>
[CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'Name')]
param(
    # Nothing is Mandatory: a scheduled task must end with status 2 instead of asking for a value.
    [Parameter(ParameterSetName = 'Name', Position = 0)]
    [string[]] $Name = @(),

    [Parameter(ParameterSetName = 'All')]
    [switch] $All,

    [Parameter(ParameterSetName = 'Clean')]
    [switch] $Clean,

    [Parameter(ParameterSetName = 'Clean')]
    [string[]] $Repository = @(),

    [string] $Inbox = '',

    [Parameter(ParameterSetName = 'Name')]
    [Parameter(ParameterSetName = 'All')]
    [string[]] $WrappingKeyPath = @(),

    [Parameter(ParameterSetName = 'Name')]
    [Parameter(ParameterSetName = 'All')]
    [string] $Cluster = '',

    # The values are those of Export-VM's page (windows-powershell-docs, winserver2025-ps/Hyper-V/Export-VM.md).
    [Parameter(ParameterSetName = 'Name')]
    [Parameter(ParameterSetName = 'All')]
    [ValidateSet('CaptureCrashConsistentState', 'CaptureDataConsistentState', 'CaptureSavedState')]
    [string] $CaptureLiveState = 'CaptureCrashConsistentState'
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
Import-Module -Name (Join-Path -Path $PSScriptRoot -ChildPath 'Sealift.psm1') -Force

$writtenBy = 'Export-SealiftVM.ps1 1.0'

# --- what one export folder holds ----------------------------------------------------------------------

function Get-ExportedFile {
    # Every file below the folder but our own at its top, with '/' between names and its SHA-256.
    param([string] $Folder)
    $root = (Get-Item -LiteralPath $Folder -Force).FullName.TrimEnd('\', '/')
    $files = @(Get-ChildItem -LiteralPath $root -Recurse -File -Force | Sort-Object -Property FullName)
    foreach ($file in $files) {
        $path = $file.FullName.Substring($root.Length + 1).Replace('\', '/')
        if ($path -notmatch '/' -and $path -like 'sealift-*') { continue }
        [ordered] @{
            path   = $path
            size   = [long] $file.Length
            sha256 = (Get-FileHash -LiteralPath $file.FullName -Algorithm SHA256).Hash.ToLowerInvariant()
        }
    }
}

function Export-VaultKey {
    param([string] $Folder, [object[]] $WrappingKeys, [object] $Key, [string] $Kind, [string] $FileName)
    for ($n = 0; $n -lt $WrappingKeys.Count; $n++) {
        $target = [System.IO.Path]::Combine($Folder, 'Keys', "$($n + 1)", $Kind)
        $null = [System.IO.Directory]::CreateDirectory($target)
        Export-SealiftKey -Key $Key -WrappingKeyPath $WrappingKeys[$n].Path `
            -Path ([System.IO.Path]::Combine($target, $FileName))
    }
}

function Write-Export {
    param(
        [string] $Folder, [object] $VM, [object] $Key, [object] $AttestationKey,
        [object[]] $WrappingKeys, [object[]] $Inventory, [string] $HostBuild
    )
    # Removing files again must not ask once for each, even where the operator asked to be asked.
    $ConfirmPreference = 'None'
    $created = Get-SealiftUtcTime
    $unfinished = [System.IO.Path]::Combine($Folder, 'sealift-export.unfinished')
    $null = [System.IO.Directory]::CreateDirectory($Folder)
    try {
        [System.IO.File]::WriteAllBytes($unfinished, [byte[]] @())

        $export = @{ VM = $VM.Machine; Path = $Folder; ErrorAction = 'Stop' }
        # A VM that is off has no live state to capture.
        if ($VM.State -eq 'Running' -or $VM.State -eq 'Paused') { $export['CaptureLiveState'] = $CaptureLiveState }
        $null = Export-VM @export

        # After the VM, so that a key made anew while it was exported is not the one that is stored.
        if ($null -ne $Key) {
            Export-VaultKey -Folder $Folder -WrappingKeys $WrappingKeys -Key $Key -Kind 'AES' `
                -FileName "$($VM.Id)_$($Key.Size).json"
        }
        if ($null -ne $AttestationKey) {
            Export-VaultKey -Folder $Folder -WrappingKeys $WrappingKeys -Key $AttestationKey -Kind 'RSA' `
                -FileName "$($AttestationKey.Name)_$($AttestationKey.Size).json"
        }

        $files = [object[]] @(Get-ExportedFile -Folder $Folder)
        $configurations = @($files | Where-Object { $_.path -match '/Virtual Machines/[^/]+\.vmcx$' })
        if ($configurations.Count -ne 1) {
            throw "Export-VM wrote $($configurations.Count) configuration files (.vmcx) into ""Virtual Machines"" where one is expected"
        }
        if ($VM.Isolation -eq 'TrustedLaunch' -and @($files | Where-Object { $_.path -match '/Virtual Machines/[^/]+\.vmgs$' }).Count -eq 0) {
            throw 'Export-VM wrote no guest state (.vmgs), without which the vTPM of this Trusted Launch VM is lost'
        }
        $machines = [object[]] @([ordered] @{
                id                         = $VM.Id
                name                       = $VM.Name
                guest_state_isolation_type = $VM.Isolation
                protection_key             = ($null -ne $Key)
            })
        # Every list is an array by its type: ConvertTo-Json writes a list of one as a single value otherwise.
        Write-SealiftJson -Path ([System.IO.Path]::Combine($Folder, 'sealift-export.json')) -Value ([ordered] @{
                format     = 1
                written_by = $writtenBy
                cluster    = $Cluster
                host       = $VM.Node
                host_build = $HostBuild
                created    = $created
                vms        = $machines
                inventory  = $Inventory
                files      = $files
            })
        [System.IO.File]::Delete($unfinished)
        $size = [long] 0
        foreach ($file in $files) { $size += $file.size }
        "exported VM $($VM.Name) ($($VM.Id)): $($files.Count) files, $size bytes, $(@($WrappingKeys).Count) wrapping key(s), into $Folder"
    }
    catch {
        $reason = $_.Exception.Message
        # The folder is this run's own: its name has the time, and it did not exist a moment ago.
        try {
            Remove-Item -LiteralPath $Folder -Recurse -Force
            $reason += '; what was written was removed again'
        }
        catch { $reason += "; and what was written could not be removed ($($_.Exception.Message)): remove $Folder by hand" }
        throw $reason
    }
}

# --- -Clean --------------------------------------------------------------------------------------------

function ConvertTo-RepositoryId {
    # As a person copies it from the sheet: in groups, of either case.
    param([string] $Text)
    ($Text -replace '\s', '').ToLowerInvariant()
}

function Get-StoredEntry {
    # What each repository says of an export. Format 1 had no list: its members are those of one entry.
    param([object] $Record)
    $list = Get-SealiftValue -From $Record -Name 'repositories'
    if ($null -eq $list) { $list = @($Record) }
    foreach ($entry in @($list)) {
        $id = [string] (Get-SealiftValue -From $entry -Name 'repository' -Default '')
        if (-not $id) { continue }
        [pscustomobject] @{
            Repository = $id.ToLowerInvariant()
            Snapshots  = @(Get-SealiftValue -From $entry -Name 'snapshots' -Default @())
        }
    }
}

function Get-SeenRepository {
    # The ids that the inbox knows of, each once.
    param([System.IO.DirectoryInfo[]] $Folders = @())
    $seen = @{}
    foreach ($folder in $Folders) {
        $stored = [System.IO.Path]::Combine($folder.FullName, 'sealift-stored.json')
        if (-not [System.IO.File]::Exists($stored)) { continue }
        try {
            foreach ($entry in @(Get-StoredEntry -Record (Read-SealiftJson -Path $stored -Known 1, 2))) { $seen[$entry.Repository] = $true }
        }
        # Its folder is left and named by Get-ReasonToKeep, which cannot read it either.
        catch { Write-Verbose "$stored is passed over: $($_.Exception.Message)" }
    }
    @($seen.Keys | Sort-Object)
}

function Get-ReasonToKeep {
    # Empty when the export is stored as it lies there, in every one of the repositories.
    param([System.IO.DirectoryInfo] $Folder, [string[]] $Repositories = @())
    $export = [System.IO.Path]::Combine($Folder.FullName, 'sealift-export.json')
    $stored = [System.IO.Path]::Combine($Folder.FullName, 'sealift-stored.json')
    if ($Folder.Name -notmatch '^[0-9]{8}T[0-9]{6}Z-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$') { return 'it is not an export folder' }
    # Removing through a junction would remove what lies elsewhere.
    if ($Folder.Attributes -band [System.IO.FileAttributes]::ReparsePoint) { return 'it is a link to another place' }
    if ([System.IO.File]::Exists([System.IO.Path]::Combine($Folder.FullName, 'sealift-export.unfinished'))) { return 'the export is not finished' }
    if (-not [System.IO.File]::Exists($export)) { return 'it has no sealift-export.json' }
    if (-not [System.IO.File]::Exists($stored)) { return 'Sealift has not stored it yet: it has no sealift-stored.json' }
    try {
        $exportJson = Read-SealiftJson -Path $export
        $storedJson = Read-SealiftJson -Path $stored -Known 1, 2
        $hash = (Get-FileHash -LiteralPath $export -Algorithm SHA256).Hash
        if ([string] (Get-SealiftValue -From $storedJson -Name 'export_sha256' -Default '') -ne $hash) {
            return 'sealift-stored.json is about another sealift-export.json'
        }
        $machines = @(Get-SealiftValue -From $exportJson -Name 'vms' -Default @())
        if ($machines.Count -eq 0) { return 'its sealift-export.json names no VM' }
        $entries = @(Get-StoredEntry -Record $storedJson)
        if ($entries.Count -eq 0 -or @($Repositories).Count -eq 0) { return 'its sealift-stored.json names no repository' }
        foreach ($id in @($Repositories)) {
            $own = @($entries | Where-Object { $_.Repository -eq $id })
            if ($own.Count -eq 0) { return "repository $id has not stored it yet" }
            $kept = @{}
            foreach ($snapshot in @($own[0].Snapshots)) {
                if ($snapshot.verdict -eq 'complete') { $kept[(ConvertTo-SealiftId -Id $snapshot.vm_id)] = $true }
            }
            foreach ($machine in $machines) {
                if (-not $kept.ContainsKey((ConvertTo-SealiftId -Id $machine.id))) {
                    return "no complete snapshot of VM $($machine.id) is stored in repository $id"
                }
            }
        }
    }
    catch { return "it cannot be judged: $($_.Exception.Message)" }
    ''
}

function Remove-Export {
    param([string] $Folder)
    $ConfirmPreference = 'None'
    # The two files that prove it is stored go last: an interrupted -Clean is finished by the next one.
    $proof = @('sealift-export.json', 'sealift-stored.json')
    foreach ($item in @(Get-ChildItem -LiteralPath $Folder -Force)) {
        if ($proof -notcontains $item.Name) { Remove-Item -LiteralPath $item.FullName -Recurse -Force }
    }
    Remove-Item -LiteralPath $Folder -Recurse -Force
}

# --- parameters ----------------------------------------------------------------------------------------

$wrong = $null
if (-not $Inbox) {
    $wrong = Format-SealiftFailure -What 'no inbox was given' -Next 'add -Inbox with the folder to export into'
}
elseif (-not [System.IO.Directory]::Exists((Resolve-SealiftPath -Path $Inbox))) {
    $wrong = Format-SealiftFailure -What 'the inbox is not a folder that can be reached' -Where $Inbox `
        -Next 'make the folder, or see that the share is reachable from this node'
}
elseif ($PSCmdlet.ParameterSetName -eq 'Name' -and $Name.Count -eq 0) {
    $wrong = Format-SealiftFailure -What 'no VM was named' -Next 'add -Name with the names of the VMs, or -All, or -Clean'
}
elseif ($PSCmdlet.ParameterSetName -ne 'Clean' -and $WrappingKeyPath.Count -eq 0) {
    $wrong = Format-SealiftFailure -What 'no wrapping key was given' `
        -Next 'add -WrappingKeyPath with KEY.moc.pem of "sealift keyvault new-recovery-key --bits 2048"'
}
elseif (@($Repository | Where-Object { (ConvertTo-RepositoryId -Text $_) -notmatch '^[0-9a-f]{64}$' }).Count -gt 0) {
    $wrong = Format-SealiftFailure -What 'the id of a repository has 64 hexadecimal digits' -Where "-Repository $($Repository -join ', ')" `
        -Next 'give each id whole, as "sealift repo show" prints it'
}
if ($null -ne $wrong) {
    Write-Error -Message $wrong -ErrorAction Continue
    exit 2
}
$Inbox = Resolve-SealiftPath -Path $Inbox
$failures = 0

if ($PSCmdlet.ParameterSetName -eq 'Clean') {
    $folders = @(Get-ChildItem -LiteralPath $Inbox -Directory -Force | Sort-Object -Property Name)
    $repositories = @($Repository | ForEach-Object { ConvertTo-RepositoryId -Text $_ })
    if ($repositories.Count -eq 0) { $repositories = @(Get-SeenRepository -Folders $folders) }
    foreach ($folder in $folders) {
        $reason = Get-ReasonToKeep -Folder $folder -Repositories $repositories
        if ($reason) {
            "left $($folder.FullName): $reason"
            continue
        }
        if (-not $PSCmdlet.ShouldProcess($folder.FullName, 'remove the stored export')) { continue }
        try {
            Remove-Export -Folder $folder.FullName
            "removed $($folder.FullName)"
        }
        catch {
            $failures++
            Write-SealiftFailure -What 'a stored export could not be removed' -Where $folder.FullName `
                -Cause $_.Exception.Message -Next 'see who holds its files open, then run -Clean again'
        }
    }
    if ($failures -gt 0) { exit 4 }
    exit 0
}

$wrappingKeys = @()
try {
    foreach ($path in $WrappingKeyPath) { $wrappingKeys += Read-SealiftWrappingKey -Path $path }
}
catch {
    Write-Error -Message $_.Exception.Message -ErrorAction Continue
    exit 2
}
foreach ($wrappingKey in $wrappingKeys) {
    if ($wrappingKey.Bits -ne 2048) {
        Write-Warning "$($wrappingKey.Path) has $($wrappingKey.Bits) bits; 2048 is the only size that Microsoft documents for wrapping"
    }
}
if ($CaptureLiveState -eq 'CaptureSavedState') {
    Write-Warning "CaptureSavedState writes the memory of running guests, with every secret in it, in clear into $Inbox"
}

# --- what there is -------------------------------------------------------------------------------------

try {
    Assert-SealiftMoc
    if (-not $Cluster) { $Cluster = Get-SealiftClusterName }
    $vaultKeys = @(Get-SealiftVaultKey)
    $machines = @(Get-SealiftVM)
}
catch {
    Write-SealiftFailure -What 'nothing was exported: the cluster cannot be looked at' -Cause $_.Exception.Message `
        -Next 'run this on a node of the Azure Local system, as its administrator'
    exit 4
}
if (-not $Cluster) {
    Write-SealiftFailure -What 'this host is in no cluster, so the cluster has no name' -Next 'add -Cluster with the name that Sealift shall know'
    exit 2
}

$attestationKeyName = Get-SealiftAttestationKeyName
$attestationKey = Find-SealiftVaultKey -Keys $vaultKeys -Name $attestationKeyName
foreach ($key in $vaultKeys) {
    if ($key.Type -like 'RSA*' -and $key.Name -ne $attestationKeyName) {
        # Left by an earlier restore, usually. It would collide with the next import of the same name.
        Write-Warning ("the vault holds the RSA key $($key.Name), which is no protection key: a wrapping key that was left there? " +
            "If it is not needed: $(Format-SealiftRemoveKey -Name $key.Name)")
    }
}
$inventory = [object[]] @(foreach ($machine in $machines) {
        [ordered] @{
            id                         = $machine.Id
            name                       = $machine.Name
            guest_state_isolation_type = $machine.Isolation
            has_key                    = ($null -ne (Find-SealiftVaultKey -Keys $vaultKeys -Name $machine.Id))
        }
    })

$chosen = @()
if ($All) { $chosen = $machines }
else {
    foreach ($wanted in $Name) {
        $found = @($machines | Where-Object { $_.Name -eq $wanted -or $_.Id -eq $wanted })
        if ($found.Count -eq 1) {
            if (@($chosen | Where-Object { $_.Id -eq $found[0].Id }).Count -eq 0) { $chosen += $found[0] }
            continue
        }
        $failures++
        if ($found.Count -eq 0) {
            Write-SealiftFailure -What "there is no VM named $wanted" -Where "cluster $Cluster" -Next 'run Get-VM on the nodes to see the names'
        }
        else {
            Write-SealiftFailure -What "$($found.Count) VMs are named $wanted" -Where "cluster $Cluster" `
                -Next "give the id instead: -Name $(@($found | ForEach-Object { $_.Id }) -join ', or ')"
        }
    }
}

# --- one VM after the other ----------------------------------------------------------------------------

$builds = @{}
foreach ($machine in $chosen) {
    $label = "VM $($machine.Name) ($($machine.Id)), node $($machine.Node)"
    $key = Find-SealiftVaultKey -Keys $vaultKeys -Name $machine.Id
    if ($null -ne $key -and $key.Type -ne 'AES') {
        $failures++
        Write-SealiftFailure -What "the key named after the VM is of type $($key.Type), and a protection key is AES; nothing was written" `
            -Where $label -Next 'run Get-MocKey -group AzureStackHostAttestation -keyvaultName AzureStackTvmKeyVault'
        continue
    }
    if ($null -eq $key -and $machine.Isolation -eq 'TrustedLaunch') {
        $failures++
        Write-SealiftFailure -What 'the vault has no protection key for this Trusted Launch VM, so no backup of it could ever start; nothing was written' `
            -Where $label -Next 'if it was never started, start it once and run this again; else find the key in an earlier backup before the VM is shut down'
        continue
    }
    # Export-VM writes from the node that runs the VM: a local path would be on that node's own disk.
    $shared = $Inbox.StartsWith('\\') -or $Inbox -match '^[A-Za-z]:\\ClusterStorage\\'
    if (-not $machine.IsLocal -and -not $shared) {
        $failures++
        Write-SealiftFailure -What "the VM is on another node, which cannot write into $Inbox; nothing was written" -Where $label `
            -Next 'give a share (\\server\folder) or a folder below C:\ClusterStorage as -Inbox, or run this on that node'
        continue
    }
    if ($machine.State -eq 'Saved') {
        Write-Warning "$label is in saved state: the guest's memory is part of the export, in clear"
    }

    $folder = [System.IO.Path]::Combine($Inbox, "$(Get-SealiftUtcTime -Format "yyyyMMdd'T'HHmmss'Z'")-$($machine.Id)")
    if (-not $PSCmdlet.ShouldProcess($label, "export into $folder")) { continue }
    try {
        if (Test-Path -LiteralPath $folder) { throw "$folder is there already" }
        if (-not $builds.ContainsKey($machine.Node)) {
            $builds[$machine.Node] = Get-SealiftHostBuild -Node ([pscustomobject] @{ Name = $machine.Node; IsLocal = $machine.IsLocal })
        }
        Write-Export -Folder $folder -VM $machine -Key $key -AttestationKey $attestationKey -WrappingKeys $wrappingKeys `
            -Inventory $inventory -HostBuild $builds[$machine.Node]
    }
    catch {
        $failures++
        Write-SealiftFailure -What 'the VM was not exported' -Where $label `
            -Cause $_.Exception.Message -Next 'mend the cause and run this again for the VM; the other VMs are not concerned'
    }
}

if ($failures -gt 0) { exit 4 }
exit 0
