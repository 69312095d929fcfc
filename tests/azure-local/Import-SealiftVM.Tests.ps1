# How to run: PowerShell 7 or Windows PowerShell 5.1, and Pester 5 (Install-Module Pester -MinimumVersion 5.0).
#
#     Invoke-Pester -Path tests/azure-local -Output Detailed
#
# No cluster, no Hyper-V and no MOC are needed or touched: stubs/ stands in for them, on Linux too. What the
# stubs cannot tell is whether the real commands behave as their pages say.

BeforeAll {
    foreach ($stub in @('State', 'Hyper-V', 'FailoverClusters', 'Moc')) {
        Import-Module -Name (Join-Path -Path $PSScriptRoot -ChildPath "stubs/$stub.psm1") -Force -Global
    }
    $tested = Join-Path -Path $PSScriptRoot -ChildPath '../../scripts/azure-local/Import-SealiftVM.ps1'
    $payroll = '7fb16fe7-00a0-476f-92b3-ccb98fd9525a'
    $wrapping = 'sealift-2026-11'

    function Write-Restore {
        # The folder that "sealift restore --to-directory" writes; With replaces members of its record.
        param([hashtable] $With = @{})
        $upper = $payroll.ToUpperInvariant()
        $configuration = "tvm-payroll-01/Virtual Machines/$upper.vmcx"
        $keyPath = "protection-keys/20261127201507/AES/${payroll}_256.json"
        $names = @($configuration, "tvm-payroll-01/Virtual Machines/$upper.vmgs", 'tvm-payroll-01/Virtual Hard Disks/disk.vhdx', $keyPath)
        $files = @(foreach ($name in $names) {
                $null = [System.IO.Directory]::CreateDirectory([System.IO.Path]::GetDirectoryName("$restored/$name"))
                [System.IO.File]::WriteAllText("$restored/$name", $name)
                [ordered] @{ path = $name; size = $name.Length; sha256 = (Get-FileHash -LiteralPath "$restored/$name" -Algorithm SHA256).Hash.ToLowerInvariant() }
            })
        $record = [ordered] @{
            format = 1; vm_id = $payroll; vm_name = 'tvm-payroll-01'; snapshot = '2a7f91c0'; created = '2026-11-27T20:15:07Z'
            source_cluster = 'hq-azl-01'; bios_id = ''; guest_state = 'GspKey'; configuration = $configuration
            wrapping_key_name = $wrapping; files = $files
            keys = @([ordered] @{
                    path = $keyPath; key_name = $payroll; type = 'AES'; size = 256
                    sha256 = (Get-FileHash -LiteralPath "$restored/$keyPath" -Algorithm SHA256).Hash.ToLowerInvariant()
                })
        }
        # Not $With.Keys: that would be the member "keys" of the record, where there is one.
        foreach ($member in @($With.GetEnumerator())) { $record[$member.Key] = $member.Value }
        [System.IO.File]::WriteAllText("$restored/sealift-restore.json", (ConvertTo-Json -InputObject $record -Depth 6))
    }
    function Invoke-Import {
        param([hashtable] $With = @{})
        Invoke-Tested -Path $tested -Parameters (@{ Path = $restored; StoragePath = $storage } + $With)
    }
    function Invoke-Drill {
        param([hashtable] $With = @{})
        $password = New-Object -TypeName System.Security.SecureString
        foreach ($letter in 'guest'.ToCharArray()) { $password.AppendChar($letter) }
        $credential = New-Object -TypeName System.Management.Automation.PSCredential -ArgumentList 'administrator', $password
        Invoke-Import -With (@{ Drill = $true; EvidencePath = $evidence; Credential = $credential; HeartbeatSeconds = 1 } + $With)
    }
    function Read-Evidence { ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($evidence)) }
    function Get-StepResult {
        param([string] $Name)
        @((Read-Evidence).steps | Where-Object { $_.name -eq $Name })[0].result
    }
    function Get-StubVMCount { $global:SealiftStub.VMs.Count }
}

Describe 'Import-SealiftVM.ps1' {
    BeforeEach {
        Reset-Stub
        $global:SealiftStub.ClusterName = 'DR-AZL-02'
        Add-StubKey -Name $wrapping -Type 'RSA' -Size 2048
        $base = Join-Path -Path $TestDrive -ChildPath ([System.Guid]::NewGuid().ToString())
        $restored = "$base/restored"
        $storage = "$base/storage"
        $evidence = "$base/drill.json"
        $null = New-Item -ItemType Directory -Path $restored, $storage
        Write-Restore
    }

    Context 'the order of a restore' {
        It 'imports the key, then the VM, then starts it' {
            $result = Invoke-Import -With @{ Start = $true }
            $result.Status | Should -Be 0 -Because $result.Text
            Get-StubCall | Should -Be @("Import-MocKey:$payroll", 'Compare-VM:', 'Import-VM:', 'Start-VM:tvm-payroll-01')
        }

        It 'does not start the VM unless it is told to' {
            $result = Invoke-Import
            $result.Status | Should -Be 0 -Because $result.Text
            @(Get-StubCall | Where-Object { $_ -like 'Start-VM*' }).Count | Should -Be 0
        }

        It 'keeps the id and puts every file below the storage path' {
            $null = Invoke-Import
            $call = @($global:SealiftStub.Calls | Where-Object { $_.Command -eq 'Compare-VM' })[0]
            $call.Parameters.ContainsKey('GenerateNewId') | Should -BeFalse
            $call.Parameters['Copy'] | Should -BeTrue
            foreach ($name in @('VirtualMachinePath', 'SnapshotFilePath', 'VhdDestinationPath')) {
                $call.Parameters[$name] | Should -BeLike "*storage*$payroll*"
            }
            "$($global:SealiftStub.VMs[0].VMId)" | Should -Be $payroll
        }

        It 'names the wrapping key, the type and the size to MOC' {
            $null = Invoke-Import
            $call = @($global:SealiftStub.Calls | Where-Object { $_.Command -eq 'Import-MocKey' })[0]
            $call.Parameters['wrappingKeyName'] | Should -Be $wrapping
            $call.Parameters['type'] | Should -Be 'AES'
            $call.Parameters['size'] | Should -Be 256
        }

        It 'says how to remove the wrapping key' {
            (Invoke-Import).Text | Should -Match "-RemoveWrappingKey $wrapping"
        }

        It 'touches nothing with -WhatIf' {
            $result = Invoke-Import -With @{ Start = $true; WhatIf = $true }
            $result.Status | Should -Be 0 -Because $result.Text
            Get-StubCall | Should -BeNullOrEmpty
            @(Get-ChildItem -LiteralPath $storage -Force).Count | Should -Be 0
        }
    }

    Context 'refused before anything is touched' {
        AfterEach {
            Get-StubCall | Should -BeNullOrEmpty
            @(Get-ChildItem -LiteralPath $storage -Force).Count | Should -Be 0
        }

        It 'a missing file' {
            Remove-Item -LiteralPath "$restored/tvm-payroll-01/Virtual Hard Disks/disk.vhdx"
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'missing'
            $result.Text | Should -Match 'disk\.vhdx'
        }

        It 'a file of another size' {
            [System.IO.File]::AppendAllText("$restored/tvm-payroll-01/Virtual Hard Disks/disk.vhdx", 'x')
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'should have'
        }

        It 'a file with a byte that is another' {
            $disk = "$restored/tvm-payroll-01/Virtual Hard Disks/disk.vhdx"
            $text = [System.IO.File]::ReadAllText($disk)
            [System.IO.File]::WriteAllText($disk, $text.Substring(1) + 'x')
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'disk\.vhdx'
            $result.Text | Should -Match 'SHA-256'
        }

        It 'a key file of another restore' {
            $key = "$restored/protection-keys/20261127201507/AES/${payroll}_256.json"
            [System.IO.File]::WriteAllText($key, [System.IO.File]::ReadAllText($key).ToUpperInvariant())
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'SHA-256'
        }

        It 'a path that leads out of the folder' {
            Write-Restore -With @{ configuration = '../elsewhere.vmcx' }
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'leads out of its folder'
        }

        It 'a record of a newer format' {
            Write-Restore -With @{ format = 2 }
            (Invoke-Import).Status | Should -Be 5
        }

        It 'a VM of that id, on whichever node' {
            $global:SealiftStub.Nodes += [pscustomobject] @{ Name = 'NODE-2'; State = 'Up' }
            $null = Add-StubVM -Name 'tvm-payroll-01' -Id $payroll -Node 'NODE-2'
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'NODE-2'
        }

        It 'a key of that name in the vault: it prints the command that removes it, and does not run it' {
            Add-StubKey -Name $payroll
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match "Remove-MocKey -name '$payroll' -group AzureStackHostAttestation -keyvaultName AzureStackTvmKeyVault"
            Get-StubKeyName | Should -Contain $payroll
        }

        It 'says so when the key that is there is plainly another one' {
            Add-StubKey -Name $payroll -Type 'RSA' -Size 4096
            (Invoke-Import).Text | Should -Match 'it is another key: RSA 4096 here, AES 256 in the backup'
        }

        It 'a vault without the wrapping key' {
            $global:SealiftStub.Keys.Clear()
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'no wrapping key named'
        }

        It 'a wrapping key with the name of a key to import' {
            Write-Restore -With @{ wrapping_key_name = $payroll }
            (Invoke-Import).Status | Should -Be 5
        }

        It 'a guest state that needs a key which is not in the folder' {
            Write-Restore -With @{ keys = @() }
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'does not hold that key'
        }

        It 'a guest state bound to its host, and says what would be lost' {
            Write-Restore -With @{ guest_state = 'GspById' }
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'GspById'
            $result.Text | Should -Match 'AcceptGuestStateLoss'
            $result.Text | Should -Match 'BitLocker'
        }

        It 'a folder for the VM that is there already' {
            # Outside the storage path of the other cases, which must stay empty.
            $other = "$base/other"
            $null = New-Item -ItemType Directory -Path "$other/$payroll"
            $result = Invoke-Tested -Path $tested -Parameters @{ Path = $restored; StoragePath = $other }
            $result.Status | Should -Be 5
        }

        It 'another attestation key, until the operator decides' {
            Add-StubKey -Name 'AzureStackTvmAKRootKey' -Type 'RSA' -Size 4096
            $name = 'AzureStackTvmAKRootKey'
            $path = 'protection-keys/20261127201507/RSA/AzureStackTvmAKRootKey_4096.json'
            $null = New-Item -ItemType Directory -Path "$restored/protection-keys/20261127201507/RSA"
            [System.IO.File]::WriteAllText("$restored/$path", 'x')
            Write-Restore -With @{ keys = @(
                    [ordered] @{ path = "protection-keys/20261127201507/AES/${payroll}_256.json"; key_name = $payroll; type = 'AES'; size = 256 },
                    [ordered] @{ path = $path; key_name = $name; type = 'RSA'; size = 4096 })
            }
            $result = Invoke-Import
            $result.Status | Should -Be 5
            $result.Text | Should -Match 'KeepAttestationKey'
        }
    }

    Context 'accepted losses and failures' {
        It 'goes on with GspById when the loss is accepted' {
            Write-Restore -With @{ guest_state = 'GspById' }
            $result = Invoke-Import -With @{ AcceptGuestStateLoss = $true }
            $result.Status | Should -Be 0 -Because $result.Text
            $result.Text | Should -Match 'empty vTPM'
        }

        It 'takes key and files away again when the VM cannot be imported' {
            $global:SealiftStub.Fail['Import-VM'] = 'The operation failed.'
            $result = Invoke-Import
            $result.Status | Should -Be 4
            $result.Text | Should -Match 'removed again'
            Get-StubKeyName | Should -Be @($wrapping)
            @(Get-ChildItem -LiteralPath $storage -Force).Count | Should -Be 0
        }

        It 'does not take InvalidVersion for success, and leaves the key that was there' {
            # The key appears between the look and the import, as when somebody starts the VM. The stub reports
            # InvalidVersion without ending, as a command does whose error only scrolls by.
            $id = $payroll
            $global:SealiftStub.Fail["Import-MocKey:$payroll"] = { Add-StubKey -Name $id }.GetNewClosure()
            $result = Invoke-Import
            $result.Status | Should -Be 4
            $result.Text | Should -Match 'InvalidVersion'
            $result.Text | Should -Match "Remove-MocKey -name '$payroll'"
            @(Get-StubCall | Where-Object { $_ -like 'Remove-MocKey*' -or $_ -like 'Compare-VM*' }).Count | Should -Be 0
            Get-StubKeyName | Should -Contain $payroll
        }

        It 'shows what Hyper-V does not take, and imports nothing' {
            $global:SealiftStub.Incompatibilities = @([pscustomobject] @{
                    Message = "Could not find Ethernet switch 'Production'."; MessageId = 33012; Source = [pscustomobject] @{ Name = 'Network Adapter' } })
            $result = Invoke-Import
            $result.Status | Should -Be 4
            $result.Text | Should -Match 'Could not find Ethernet switch'
            $result.Text | Should -Match 'DisconnectMissingSwitch'
            Get-StubCall | Should -Contain 'Remove-VM:planned'
            Get-StubVMCount | Should -Be 0
            Get-StubKeyName | Should -Be @($wrapping)
        }

        It 'cuts adapters of missing switches when it may' {
            $global:SealiftStub.Incompatibilities = @([pscustomobject] @{
                    Message = "Could not find Ethernet switch 'Production'."; MessageId = 33012; Source = [pscustomobject] @{ Name = 'Network Adapter' } })
            $result = Invoke-Import -With @{ DisconnectMissingSwitch = $true }
            $result.Status | Should -Be 0 -Because $result.Text
            Get-StubCall | Should -Contain 'Disconnect-VMNetworkAdapter:Network Adapter'
        }

        It 'keeps VM and key when only the start fails' {
            $global:SealiftStub.Fail['Start-VM:tvm-payroll-01'] = 'failed to start'
            $result = Invoke-Import -With @{ Start = $true }
            $result.Status | Should -Be 4
            Get-StubVMCount | Should -Be 1
            Get-StubKeyName | Should -Contain $payroll
        }
    }

    Context 'wrapping keys' {
        It 'makes one and writes its public half' {
            $out = "$base/wrapping-key.pem"
            $result = Invoke-Tested -Path $tested -Parameters @{ NewWrappingKey = 'sealift-new'; Out = $out }
            $result.Status | Should -Be 0 -Because $result.Text
            $out | Should -Exist
            Get-StubCall | Should -Be @('New-MocKey:sealift-new', 'Get-MocKeyPublicKey:sealift-new')
        }

        It 'removes it again when its public half cannot be written' {
            $global:SealiftStub.Fail['Get-MocKeyPublicKey'] = 'Unavailable'
            $result = Invoke-Tested -Path $tested -Parameters @{ NewWrappingKey = 'sealift-new'; Out = "$base/wrapping-key.pem" }
            $result.Status | Should -Be 4
            Get-StubKeyName | Should -Be @($wrapping)
        }

        It 'refuses a name that is taken, a name with "_", and a file that is there' {
            (Invoke-Tested -Path $tested -Parameters @{ NewWrappingKey = $wrapping; Out = "$base/a.pem" }).Status | Should -Be 5
            (Invoke-Tested -Path $tested -Parameters @{ NewWrappingKey = 'sealift_new'; Out = "$base/a.pem" }).Status | Should -Be 2
            [System.IO.File]::WriteAllText("$base/a.pem", 'kept')
            (Invoke-Tested -Path $tested -Parameters @{ NewWrappingKey = 'sealift-new'; Out = "$base/a.pem" }).Status | Should -Be 5
            Get-StubCall | Should -BeNullOrEmpty
        }

        It 'makes none with -WhatIf' {
            (Invoke-Tested -Path $tested -Parameters @{ NewWrappingKey = 'sealift-new'; Out = "$base/a.pem"; WhatIf = $true }).Status | Should -Be 0
            Get-StubCall | Should -BeNullOrEmpty
        }

        It 'removes a wrapping key' {
            (Invoke-Tested -Path $tested -Parameters @{ RemoveWrappingKey = $wrapping }).Status | Should -Be 0
            Get-StubKeyName | Should -BeNullOrEmpty
        }

        It 'removes neither a protection key nor the attestation key' {
            Add-StubKey -Name $payroll
            Add-StubKey -Name 'AzureStackTvmAKRootKey' -Type 'RSA' -Size 4096
            (Invoke-Tested -Path $tested -Parameters @{ RemoveWrappingKey = $payroll }).Status | Should -Be 5
            (Invoke-Tested -Path $tested -Parameters @{ RemoveWrappingKey = 'AzureStackTvmAKRootKey' }).Status | Should -Be 5
            Get-StubCall | Should -BeNullOrEmpty
        }
    }

    Context '-Drill' {
        It 'isolates the VM before it starts, writes evidence, and removes everything' {
            $result = Invoke-Drill
            $result.Status | Should -Be 0 -Because $result.Text
            $switch = "sealift-drill-$payroll"
            Get-StubCall | Should -Be @("New-VMSwitch:$switch", "Import-MocKey:$payroll", 'Compare-VM:', 'Import-VM:',
                "Connect-VMNetworkAdapter:$switch", 'Start-VM:tvm-payroll-01', "Invoke-Command:$payroll", 'Stop-VM:tvm-payroll-01',
                'Remove-VM:tvm-payroll-01', "Remove-VMSwitch:$switch", "Remove-MocKey:$payroll")
            Get-StubVMCount | Should -Be 0
            $global:SealiftStub.Switches.Count | Should -Be 0
            Get-StubKeyName | Should -Be @($wrapping)
            @(Get-ChildItem -LiteralPath $storage -Force).Count | Should -Be 0
            $json = Read-Evidence
            $json.result | Should -Be 'pass'
            $json.cluster | Should -Be 'DR-AZL-02'
            $json.host_build | Should -Be '10.0.26100.32230'
            @($json.steps | Where-Object { $_.result -ne 'pass' }).Count | Should -Be 0
        }

        It 'cleans up after a start that failed, and ends with 6' {
            $global:SealiftStub.Fail['Start-VM:tvm-payroll-01'] = 'failed to start: fatal virtual firmware error'
            $result = Invoke-Drill
            $result.Status | Should -Be 6
            Get-StubVMCount | Should -Be 0
            $global:SealiftStub.Switches.Count | Should -Be 0
            Get-StubKeyName | Should -Be @($wrapping)
            @(Get-ChildItem -LiteralPath $storage -Force).Count | Should -Be 0
            (Read-Evidence).result | Should -Be 'fail'
            Get-StepResult -Name 'VM started' | Should -Be 'fail'
            Get-StepResult -Name 'heartbeat' | Should -Be 'not done'
            Get-StepResult -Name 'key removed' | Should -Be 'pass'
        }

        It 'goes on cleaning up when one step of it fails, and says so' {
            $global:SealiftStub.Fail['Remove-VMSwitch'] = 'the switch is in use'
            $result = Invoke-Drill
            $result.Status | Should -Be 6
            Get-StubKeyName | Should -Be @($wrapping)
            Get-StepResult -Name 'switch removed' | Should -Be 'fail'
        }

        It 'fails when no heartbeat comes in time' {
            $global:SealiftStub.HeartbeatOnStart = 'NoContact'
            $result = Invoke-Drill
            $result.Status | Should -Be 6
            Get-StepResult -Name 'heartbeat' | Should -Be 'fail'
            Get-StubVMCount | Should -Be 0
        }

        It 'fails when a volume is locked' {
            $global:SealiftStub.BitLocker = @('C: FullyEncrypted protection On Locked')
            (Invoke-Drill).Status | Should -Be 6
            Get-StepResult -Name 'BitLocker unlocked' | Should -Be 'fail'
        }

        It 'asks the guest for no recovery password' {
            $null = Invoke-Drill
            $call = @($global:SealiftStub.Calls | Where-Object { $_.Command -eq 'Invoke-Command' })[0]
            "$($call.Parameters['ScriptBlock'])" | Should -Not -Match 'Recovery|KeyProtector'
        }

        It 'records BitLocker as not done without a credential' {
            $result = Invoke-Import -With @{ Drill = $true; EvidencePath = $evidence }
            $result.Status | Should -Be 0 -Because $result.Text
            Get-StepResult -Name 'BitLocker unlocked' | Should -Be 'not done'
        }

        It 'refuses the cluster that the VM comes from, whoever gives the name' {
            $global:SealiftStub.ClusterName = 'HQ-AZL-01'
            (Invoke-Drill).Status | Should -Be 5
            $global:SealiftStub.ClusterName = 'DR-AZL-02'
            (Invoke-Drill -With @{ Cluster = 'hq-azl-01' }).Status | Should -Be 5
            Get-StubCall | Should -BeNullOrEmpty
            $evidence | Should -Not -Exist
        }

        It 'refuses where a VM of that id exists' {
            $null = Add-StubVM -Name 'tvm-payroll-01' -Id $payroll
            (Invoke-Drill).Status | Should -Be 5
            Get-StubVMCount | Should -Be 1
        }

        It 'keeps evidence that is there' {
            [System.IO.File]::WriteAllText($evidence, 'kept')
            (Invoke-Drill).Status | Should -Be 5
            [System.IO.File]::ReadAllText($evidence) | Should -Be 'kept'
        }

        It 'touches nothing with -WhatIf' {
            (Invoke-Drill -With @{ WhatIf = $true }).Status | Should -Be 0
            Get-StubCall | Should -BeNullOrEmpty
            $evidence | Should -Not -Exist
        }
    }
}
