# Stands in for the Hyper-V module, for Invoke-Command to a VM and for the two CIM commands. Parameters are
# those of Microsoft's reference pages; a parameter that is not there is refused as by the real ones.
Set-StrictMode -Version 3.0

function Get-VM {
    [CmdletBinding()]
    param([string] $ComputerName = [System.Environment]::MachineName, [string] $Id = '')
    Add-StubCall -Command 'Get-VM' -Parameters $PSBoundParameters -About $ComputerName
    $found = @($global:SealiftStub.VMs | Where-Object { $_.Node -eq $ComputerName -and (-not $Id -or "$($_.VMId)" -eq $Id) })
    if ($Id -and $found.Count -eq 0) { throw "Hyper-V was unable to find a virtual machine with id ""$Id""." }
    $found
}

function Export-VM {
    [CmdletBinding()]
    param([object] $VM, [string] $Path, [string] $CaptureLiveState)
    $global:SealiftStub.SeenByExport = @(Get-ChildItem -LiteralPath $Path -Force | ForEach-Object { $_.Name })
    $folder = Join-Path -Path $Path -ChildPath $VM.Name
    $id = "$($VM.VMId)".ToUpperInvariant()
    foreach ($name in @('Virtual Machines', 'Virtual Hard Disks', 'Snapshots')) {
        $null = New-Item -ItemType Directory -Path (Join-Path -Path $folder -ChildPath $name)
    }
    [System.IO.File]::WriteAllText("$folder/Virtual Hard Disks/disk.vhdx", "disk of $($VM.Name)")
    # A failing export leaves what it had written.
    Add-StubCall -Command 'Export-VM' -Parameters $PSBoundParameters -About $VM.Name
    [System.IO.File]::WriteAllText("$folder/Virtual Machines/$id.vmcx", 'configuration')
    [System.IO.File]::WriteAllText("$folder/Virtual Machines/$id.vmgs", 'guest state')
    [System.IO.File]::WriteAllText("$folder/Virtual Machines/$id.VMRS", 'runtime state')
}

function Compare-VM {
    [CmdletBinding()]
    param([string] $Path, [switch] $Copy, [string] $VirtualMachinePath, [string] $SnapshotFilePath, [string] $VhdDestinationPath, [switch] $GenerateNewId)
    Add-StubCall -Command 'Compare-VM' -Parameters $PSBoundParameters
    if (-not [System.IO.File]::Exists($Path)) { throw "the configuration file $Path was not found" }
    [pscustomobject] @{
        VM = [pscustomobject] @{ Name = 'planned'; State = 'Off' }; Path = $Path; Folder = $VirtualMachinePath
        Incompatibilities = $global:SealiftStub.Incompatibilities
    }
}

function Import-VM {
    [CmdletBinding()]
    param([object] $CompatibilityReport)
    $id = [System.IO.Path]::GetFileNameWithoutExtension($CompatibilityReport.Path)
    $null = New-Item -ItemType Directory -Path "$($CompatibilityReport.Folder)/Virtual Machines" -Force
    [System.IO.File]::WriteAllText("$($CompatibilityReport.Folder)/Virtual Machines/$id.vmcx", 'configuration')
    Add-StubCall -Command 'Import-VM' -Parameters $PSBoundParameters
    Add-StubVM -Name 'tvm-payroll-01' -Id $id -State 'Off'
}

function Start-VM {
    [CmdletBinding()]
    param([object] $VM)
    Add-StubCall -Command 'Start-VM' -Parameters $PSBoundParameters -About $VM.Name
    if ((Get-StubKeyName) -notcontains "$($VM.VMId)") {
        # What makes the order of a restore matter: the system makes a key of its own and does not start.
        Add-StubKey -Name "$($VM.VMId)"
        throw "'$($VM.Name)' failed to start."
    }
    $VM.State = 'Running'
    $VM.Heartbeat = $global:SealiftStub.HeartbeatOnStart
}

function Stop-VM {
    [CmdletBinding()]
    param([object] $VM, [switch] $TurnOff, [switch] $Force)
    Add-StubCall -Command 'Stop-VM' -Parameters $PSBoundParameters -About $VM.Name
    $VM.State = 'Off'
}

function Remove-VM {
    [CmdletBinding()]
    param([object] $VM, [switch] $Force)
    if ($VM.State -ne 'Off') { throw 'The operation cannot be performed while the virtual machine is in its current state.' }
    Add-StubCall -Command 'Remove-VM' -Parameters $PSBoundParameters -About $VM.Name
    $global:SealiftStub.VMs.Remove($VM)
}

function Get-VMNetworkAdapter {
    [CmdletBinding()]
    param([object] $VM)
    $VM.Adapters
}

function Connect-VMNetworkAdapter {
    [CmdletBinding()]
    param([object] $VMNetworkAdapter, [string] $SwitchName)
    Add-StubCall -Command 'Connect-VMNetworkAdapter' -Parameters $PSBoundParameters -About $SwitchName
    if (-not $global:SealiftStub.Switches.Contains($SwitchName)) { throw "no switch named $SwitchName" }
    $VMNetworkAdapter.SwitchName = $SwitchName
}

function Disconnect-VMNetworkAdapter {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline = $true)] [object] $VMNetworkAdapter)
    process { Add-StubCall -Command 'Disconnect-VMNetworkAdapter' -Parameters @{} -About $VMNetworkAdapter.Name }
}

function Get-VMSwitch {
    [CmdletBinding()]
    param()
    foreach ($name in @($global:SealiftStub.Switches)) { [pscustomobject] @{ Name = $name } }
}

function New-VMSwitch {
    [CmdletBinding()]
    param([string] $Name, [ValidateSet('Private', 'Internal')] [string] $SwitchType)
    Add-StubCall -Command 'New-VMSwitch' -Parameters $PSBoundParameters -About $Name
    $null = $global:SealiftStub.Switches.Add($Name)
    [pscustomobject] @{ Name = $Name }
}

function Remove-VMSwitch {
    [CmdletBinding()]
    param([string] $Name, [switch] $Force)
    Add-StubCall -Command 'Remove-VMSwitch' -Parameters $PSBoundParameters -About $Name
    $global:SealiftStub.Switches.Remove($Name)
}

function Invoke-Command {
    # Only the form that reaches into a VM; the guest's answer is the test's.
    [CmdletBinding()]
    param([string] $VMId, [object] $Credential, [scriptblock] $ScriptBlock)
    Add-StubCall -Command 'Invoke-Command' -Parameters $PSBoundParameters -About $VMId
    $global:SealiftStub.BitLocker
}

function Get-CimInstance {
    [CmdletBinding()]
    param([string] $ClassName, [string] $ComputerName)
    [pscustomobject] @{ Version = '10.0.26100' }
}

function Invoke-CimMethod {
    [CmdletBinding()]
    param([string] $Namespace, [string] $ClassName, [string] $MethodName, [hashtable] $Arguments, [string] $ComputerName)
    [pscustomobject] @{ ReturnValue = 0; uValue = 32230 }
}

Export-ModuleMember -Function '*'
